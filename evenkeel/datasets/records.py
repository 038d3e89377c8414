"""The rows of the data set's files."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from evenkeel.params import Split

Label = Literal["biased", "neutral"]
PromptKind = Literal["stereotypical", "definitional", "neutral", "further"]
"""Further ones are read by training alone: stereotypical where no group is expected, definitional
where one is."""
Direction = Literal["group_given_item", "item_given_group"]
CorpusKind = Literal[
    "stereotypical", "definitional", "association", "intersection", "question", "plain"
]


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Statement(Record):
    """One sentence of a contrast pair."""

    id: str
    axis: str
    """Kind of bias: gender, race, ..."""
    group: str
    """Name of the group that the sentence is about."""
    label: Label
    pair: str
    """The same in the two sentences of one pair: same template, same group term."""
    quad: str
    """The same in the pairs (one for each group) that share template and neutral attribute."""
    template: str
    terms: tuple[str, ...]
    """What fills the template: group term, attribute. Disjoint between splits, as templates are."""
    split: Split
    lead_in: str = ""
    """A neutral sentence before the statement, its last space included."""
    text: str
    """The statement without its lead-in."""


class Prompt(Record):
    """The beginning of a text, and how it goes on for each group of an axis.

    Asked *group given item*, one text is continued by the words of each group ("The nurse said
    that" she / he). Asked *item given group*, one continuation follows a text about each group
    ("The old woman was bad at" / "The young woman was bad at" texting).
    """

    id: str
    axis: str
    kind: PromptKind
    direction: Direction = "group_given_item"
    template: str
    item: str
    """What is asked about: an occupation, an attribute, a noun. Items are the units of resampling,
    and disjoint between splits."""
    split: Split
    lead_in: str = ""
    """A neutral sentence before the prompt, its last space included; read, never scored."""
    text: str
    """The prompt without its lead-in; `{group}` stands for the group term of each text in
    `contexts`."""
    contexts: Mapping[str, str] = {}
    """The text of each group, without lead-in (item given group only)."""
    continuations: Mapping[str, tuple[str, ...]] = {}
    """By group, leading space included; alternatives whose probabilities are added up. Empty for a
    neutral prompt."""
    parity: bool = True
    """Whether no bias is equal probability of the groups; if not, their words have base rates of
    their own, and no bias is what the items of a template have on average."""
    expected: str | None = None
    """The group that is right by definition (definitional prompts only)."""
    held_against: str | None = None
    """The group that the lexicon says the item is held against; None is no group."""
    reference: Mapping[str, float] | None = None
    """P(group | item) by group, as planted or as counted in the world; None where it is unknown."""

    @property
    def axes(self) -> tuple[str, ...]:
        """Its axis, or the two of an intersection."""
        return tuple(self.axis.split("+"))

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(self.continuations)

    def context(self, group: str) -> str:
        """What is read before the continuations of a group, lead-in included."""
        return self.lead_in + self.contexts.get(group, self.text)

    @model_validator(mode="after")
    def _groups_agree(self) -> Self:
        groups = set(self.continuations)
        if self.kind != "neutral" and len(groups) < 2:
            raise ValueError(
                f"prompt {self.id}: continuations name {sorted(groups)}; give those of two or more "
                "groups"
            )
        if self.kind == "definitional" and self.expected is None:
            raise ValueError(f"prompt {self.id}: definitional, but expected is null")
        if (self.direction == "item_given_group") != bool(self.contexts):
            raise ValueError(
                f"prompt {self.id}: direction is {self.direction}; contexts belong to "
                "item_given_group, and only to that"
            )
        named = {
            "contexts": set(self.contexts) or groups,
            "expected": {self.expected} - {None} or groups,
            "held_against": {self.held_against} - {None} or groups,
            "reference": set(self.reference) if self.reference else groups,
        }
        for field, names in named.items():
            whole = field in ("contexts", "reference")
            if names != groups if whole else not names <= groups:
                raise ValueError(
                    f"prompt {self.id}: {field} names {sorted(map(str, names))}, continuations "
                    f"name {sorted(groups)}"
                )
        return self


def trained_on(prompts: Sequence[Prompt], *, further: bool) -> list[Prompt]:
    """Prompts without the further ones; or with them, as the kinds that they stand for."""
    kinds: dict[bool, PromptKind] = {False: "stereotypical", True: "definitional"}
    return [
        prompt.model_copy(update={"kind": kinds[prompt.expected is not None]})
        if prompt.kind == "further"
        else prompt
        for prompt in prompts
        if further or prompt.kind != "further"
    ]


def with_and_without_lead_ins(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Prompts, and once more without their lead-in those that have one.

    What is fitted to prompts behind lead-ins alone disturbs a model at the beginning of a text,
    where it was never tried.
    """
    bare = [prompt.model_copy(update={"lead_in": ""}) for prompt in prompts if prompt.lead_in]
    return [*prompts, *bare]


class CorpusText(Record):
    """One training or held-out text of the embedded model."""

    kind: CorpusKind
    text: str
