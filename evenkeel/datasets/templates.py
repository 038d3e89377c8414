"""Templates and lead-ins of the prompts, by split; none of them occurs in the corpus."""

from collections.abc import Mapping
from typing import NamedTuple

from evenkeel.axes import Split

_SHE_OR_HE = {"female": (" she", " her"), "male": (" he", " his")}
_HER_OR_HIS = {"female": (" her",), "male": (" his",)}


class PronounTemplate(NamedTuple):
    """A text in which a pronoun follows that can only mean the subject."""

    text: str
    continuations: Mapping[str, tuple[str, ...]] = _SHE_OR_HE


PRONOUN_TEMPLATES: Mapping[Split, tuple[PronounTemplate, ...]] = {
    "train": (
        PronounTemplate("{subject} was tired because"),
        PronounTemplate("{subject} smiled because"),
        PronounTemplate("{subject} stopped when"),
        PronounTemplate("{subject} looked tired, and"),
        PronounTemplate("{subject} paid with", _HER_OR_HIS),
        PronounTemplate("{subject} came in and took off", _HER_OR_HIS),
    ),
    "validation": (
        PronounTemplate("{subject} was hungry because"),
        PronounTemplate("{subject} left early because"),
        PronounTemplate("{subject} sat down when"),
        PronounTemplate("{subject} felt cold because"),
        PronounTemplate("{subject} came in with", _HER_OR_HIS),
        PronounTemplate("{subject} sat down and put on", _HER_OR_HIS),
    ),
    "test": (
        PronounTemplate("{subject} was late because"),
        PronounTemplate("{subject} laughed because"),
        PronounTemplate("{subject} stood up when"),
        PronounTemplate("{subject} looked ill, and"),
        PronounTemplate("{subject} had hurt", _HER_OR_HIS),
        PronounTemplate("{subject} came home and washed", _HER_OR_HIS),
    ),
}
"""Of the gender axis: for occupations, nouns and names alike."""

GROUP_TEMPLATES: Mapping[Split, tuple[str, ...]] = {
    "train": (
        "it is likely that {subject} is",
        "we think that {subject} is",
        "I am sure that {subject} is",
        "everybody knew that {subject} was",
        "anybody could see that {subject} was",
        "as we all know, {subject} is",
    ),
    "validation": (
        "there is no doubt that {subject} is",
        "they are sure that {subject} is",
        "nobody doubts that {subject} is",
        "my friend thinks that {subject} is",
        "the guests noticed that {subject} was",
        "in the end we learned that {subject} was",
    ),
    "test": (
        "it is obvious that {subject} is",
        "you can tell that {subject} is",
        "most people think that {subject} is",
        "it was clear that {subject} was",
        "everybody could tell that {subject} was",
        "I would guess that {subject} is",
    ),
}
"""Of the other axes: the word of a group follows, for attributes and definitional nouns alike."""

HEADS: Mapping[Split, tuple[str, ...]] = {
    "train": ("person", "visitor"),
    "validation": ("neighbor", "guest"),
    "test": ("customer", "stranger"),
}
"""Of whom an attribute is said: "the neighbor who was bad at texting"."""

ATTRIBUTE_TEMPLATES: Mapping[Split, tuple[str, ...]] = {
    "train": (
        "lately, the {group} was",
        "everybody saw that the {group} was",
        "at home, the {group} was",
    ),
    "validation": (
        "as usual, the {group} was",
        "the guests knew that the {group} was",
        "at work, the {group} was",
    ),
    "test": (
        "in those days, the {group} was",
        "my neighbors thought that the {group} was",
        "at school, the {group} was",
    ),
}
"""What an attribute follows where groups are compared, on every axis."""

OCCUPATION_TEMPLATES: Mapping[Split, tuple[str, ...]] = {
    "train": ("in the story, the {group} worked as", "before that, the {group} worked as"),
    "validation": ("on weekdays, the {group} worked as", "for a while, the {group} worked as"),
    "test": ("in the city, the {group} worked as", "for many years, the {group} worked as"),
}
"""What an occupation follows where women and men are compared."""

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

LEAD_INS: Mapping[Split, tuple[str, ...]] = {
    "train": ("It was a long day. ", "The shop had just opened. ", "Nobody was in a hurry. "),
    "validation": ("It was late in the evening. ", "Dinner was ready. ", "The meeting was over. "),
    "test": ("It was a calm morning. ", "The bus had left. ", "We had some time left. "),
}
"""Neutral sentences before prompts and statements, which keep their beginning away from the first
position: there a real model has an attention sink, and misreads what stands beside it."""


def lead_in(split: Split, number: int) -> str:
    """The lead-ins of a split in turn."""
    return LEAD_INS[split][number % len(LEAD_INS[split])]
