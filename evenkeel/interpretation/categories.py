"""The lexicon's words by category: what a feature can be named after without a language model."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from evenkeel.axes import LEXICONS
from evenkeel.axes.names import FIRST_NAMES
from evenkeel.axes.occupations import PERCENT_WOMEN
from evenkeel.organism.people import PRONOUNS
from evenkeel.params import Axis


@dataclass(frozen=True)
class Category:
    """Words or phrases that have something in common."""

    name: str
    axis: Axis | None
    """The kind of bias that they have to do with."""
    words: frozenset[str]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches each of the words as a whole, in the singular or the plural, in any case."""
        longest_first = sorted(self.words, key=lambda word: (-len(word), word))
        return re.compile(
            rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?:s|es)?(?!\w)", re.IGNORECASE
        )


def lexicon_categories() -> tuple[Category, ...]:
    """Groups, what is said of them, pronouns, names, occupations; each apart, some together."""
    categories = []
    for axis in get_args(Axis):
        lexicon = LEXICONS[axis]
        terms = list(lexicon.all_terms())
        attributes = list(lexicon.all_attributes())
        for side, group in enumerate(lexicon.groups):
            categories += [
                _category(group, axis, (pair[side] for pair in terms)),
                _category(
                    f"said of {group}", axis, ((a.first, a.second)[side] for a in attributes)
                ),
            ]
        both = (term for pair in terms for term in pair)
        categories.append(_category(" or ".join(lexicon.groups), axis, both))
    return (*categories, *_people())


def _people() -> list[Category]:
    categories = []
    names = [pair for pairs in FIRST_NAMES.values() for pair in pairs]
    for side, (group, own) in enumerate((("women", PRONOUNS["female"]), ("men", PRONOUNS["male"]))):
        pronouns = list(own.values())
        first_names = [pair[side] for pair in names]
        nouns = [pair[side] for pair in LEXICONS["gender"].all_terms()]
        categories += [
            _category(f"pronouns of {group}", "gender", pronouns),
            _category(f"first names of {group}", "gender", first_names),
            _category(
                f"{group}, their pronouns and names", "gender", pronouns + first_names + nouns
            ),
        ]
    women = [name for name, percent in PERCENT_WOMEN.items() if percent > 50]
    men = [name for name, percent in PERCENT_WOMEN.items() if percent <= 50]
    return [
        *categories,
        _category("occupations of women, mostly", "gender", women),
        _category("occupations of men, mostly", "gender", men),
        _category("occupations", None, women + men),
    ]


def _category(name: str, axis: Axis | None, words: Iterable[str]) -> Category:
    return Category(name, axis, frozenset(words))
