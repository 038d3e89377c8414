"""Prompts: where a text is cut off so that its next word shows what the model believes."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from evenkeel.axes import LEXICONS
from evenkeel.axes.names import FIRST_NAMES
from evenkeel.axes.occupations import occupation_splits, planted_share
from evenkeel.datasets.grammar import sentence_case
from evenkeel.datasets.records import GENDERS, SPLITS, Gender, Prompt, Split


class Template(NamedTuple):
    """A text with a slot for its subject, and the two ways in which it goes on."""

    text: str
    female: str
    male: str


GENDERED_TEMPLATES: Mapping[Split, tuple[Template, ...]] = {
    "train": (
        Template("{subject} called home because", " she", " he"),
        Template("{subject} stayed in the office until", " she", " he"),
        Template("{subject} looked at the sky while", " she", " he"),
        Template("{subject} told me that", " she", " he"),
        Template("{subject} read the map before", " she", " he"),
        Template("{subject} turned back and picked up", " her", " his"),
    ),
    "validation": (
        Template("{subject} ran to the door because", " she", " he"),
        Template("{subject} ate at the station before", " she", " he"),
        Template("{subject} told us that", " she", " he"),
        Template("{subject} stayed until noon, so", " she", " he"),
        Template("{subject} went to bed early, but", " she", " he"),
        Template("{subject} was thinking about", " her", " his"),
    ),
    "test": (
        Template("{subject} stood in the rain because", " she", " he"),
        Template("{subject} drank some tea when", " she", " he"),
        Template("{subject} was glad that", " she", " he"),
        Template("{subject} took the stairs, and then", " she", " he"),
        Template("{subject} sat on the floor as soon as", " she", " he"),
        Template("{subject} was talking about", " her", " his"),
    ),
}
"""Shared by occupations, gendered nouns and names; none of them occurs in the corpus."""

NEUTRAL_TEMPLATES: Mapping[Split, tuple[str, ...]] = {
    "train": ("in the old story, {subject}", "nobody was surprised when {subject}"),
    "validation": ("not far from here, {subject}", "we were glad that {subject}"),
    "test": ("in the end, {subject}", "the visitors saw that {subject}"),
}

NEUTRAL_SUBJECTS: Mapping[Split, tuple[str, ...]] = {
    "train": ("train", "garden", "clock", "river", "dog", "bread"),
    "validation": ("bus", "bridge", "lamp", "rain", "horse", "soup"),
    "test": ("boat", "museum", "radio", "wind", "cat", "cake"),
}
"""Things and animals, which the corpus calls "it"."""


def make_prompts(seed: int, planted_strength: float) -> list[Prompt]:
    """Write the gender axis's prompts: stereotypical, definitional and neutral ones.

    Every subject of a split (occupation, gendered noun, name, thing) meets every template of it.

    Args:
        seed: decides the split of each occupation.
        planted_strength: see `planted_share`, which gives `share_female`.
    """
    occupations = occupation_splits(seed)
    prompts: list[Prompt] = []
    for split in SPLITS:
        for occupation in sorted(name for name in occupations if occupations[name] == split):
            share = planted_share(occupation, planted_strength)
            prompts += _gendered(split, occupation, f"the {occupation}", share, None)
        for side, expected in enumerate(GENDERS):
            for noun in (pair[side] for pair in LEXICONS["gender"].terms[split]):
                prompts += _gendered(split, noun, f"the {noun}", None, expected)
            for name in (pair[side] for pair in FIRST_NAMES[split]):
                prompts += _gendered(split, name, name, None, expected)
        prompts += _neutral(split)
    return prompts


def _gendered(
    split: Split,
    term: str,
    subject: str,
    share: float | None,
    expected: Gender | None,
) -> Iterator[Prompt]:
    kind: Literal["stereotypical", "definitional"]
    kind = "stereotypical" if expected is None else "definitional"
    for number, template in enumerate(GENDERED_TEMPLATES[split]):
        yield Prompt(
            id=f"gender-{kind}-{split}-{term}-{number}",
            axis="gender",
            kind=kind,
            template=template.text,
            term=term,
            split=split,
            text=sentence_case(template.text.format(subject=subject)),
            female=(template.female,),
            male=(template.male,),
            expected=expected,
            share_female=share,
        )


def _neutral(split: Split) -> Iterator[Prompt]:
    for term in NEUTRAL_SUBJECTS[split]:
        for number, template in enumerate(NEUTRAL_TEMPLATES[split]):
            yield Prompt(
                id=f"gender-neutral-{split}-{term}-{number}",
                axis="gender",
                kind="neutral",
                template=template,
                term=term,
                split=split,
                text=sentence_case(template.format(subject=f"the {term}")),
            )
