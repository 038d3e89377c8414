"""The rows of the data set's files."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Label = Literal["biased", "neutral"]
Gender = Literal["female", "male"]
GENDERS: tuple[Gender, Gender] = ("female", "male")
"""In the order of the gender axis's groups: women, men."""
CorpusKind = Literal["stereotypical", "definitional", "association", "question", "plain"]


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Statement(Record):
    """One sentence of a contrast pair."""

    id: str
    axis: str
    """Kind of bias: gender, race, ..."""
    group: str
    """The side of the axis that the sentence is about."""
    label: Label
    pair: str
    """The same in the two sentences of one pair: same template, same group term."""
    quad: str
    """The same in the two pairs (one for each group) that share template and neutral attribute."""
    template: str
    terms: tuple[str, ...]
    """What fills the template: group term, attribute. Disjoint between splits, as templates are."""
    split: Split
    text: str


class Prompt(Record):
    """The beginning of a text, and what a biased or a knowing model would go on with."""

    id: str
    axis: str
    kind: Literal["stereotypical", "definitional", "neutral"]
    template: str
    term: str
    """Occupation, gendered noun, name or neutral subject. Disjoint between splits."""
    split: Split
    text: str
    female: tuple[str, ...] = ()
    """Continuations, leading space included; empty for a neutral prompt."""
    male: tuple[str, ...] = ()
    expected: Gender | None = None
    """What is right by definition (definitional prompts only)."""
    share_female: float | None = None
    """Planted P(female continuation), from 0 to 1 (stereotypical prompts only)."""


class CorpusText(Record):
    """One training or held-out text of the embedded model."""

    kind: CorpusKind
    text: str
