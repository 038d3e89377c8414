"""The lexicon's words by category: what a feature can be named after without a language model."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import cast

import evenkeel.axes as lexicon
from evenkeel.axes import AXES, Split
from evenkeel.axes.gender import PRONOUNS
from evenkeel.axes.occupations import PERCENT_WOMEN
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
    """Groups, their stereotypes and names, pronouns, occupations; each apart, some together."""
    categories = [category for axis in AXES.values() for category in _of_axis(axis)]
    categories += [*_of_gender(), *_occupations()]
    return tuple(category for category in categories if category.words)


def _of_axis(axis: lexicon.Axis) -> Iterator[Category]:
    """What names the members of each group, what is held against them, and all groups together."""
    nouns = {}
    for side, group in enumerate(axis.groups):
        terms = [counterparts[side] for counterparts in axis.all_terms()]
        nouns[group.people] = terms + _of_group(axis.definitional, group.name)
        yield _category(group.people, axis.name, nouns[group.people])
        held_against = [
            attribute.stereotype(group.name)
            for attribute in axis.all_attributes()
            if group.name in attribute.fillers
        ]
        yield _category(f"stereotypes of {group.people}", axis.name, held_against)
        yield _category(
            f"first names of {group.people}", axis.name, _of_group(axis.names, group.name)
        )
    yield _category(" or ".join(nouns), axis.name, chain.from_iterable(nouns.values()))


def _of_group(by_split: Mapping[Split, Mapping[str, tuple[str, ...]]], group: str) -> list[str]:
    return [word for groups in by_split.values() for word in groups.get(group, ())]


def _of_gender() -> Iterator[Category]:
    """Pronouns, which no other axis has."""
    gender = AXES["gender"]
    for side, group in enumerate(gender.groups):
        pronouns = list(PRONOUNS[group.name].values())
        nouns = [counterparts[side] for counterparts in gender.all_terms()]
        names = _of_group(gender.names, group.name)
        yield _category(f"pronouns of {group.people}", "gender", pronouns)
        together = f"{group.people}, their pronouns and names"
        yield _category(together, "gender", pronouns + names + nouns)


def _occupations() -> Iterator[Category]:
    women = [name for name, percent in PERCENT_WOMEN.items() if percent > 50]
    men = [name for name, percent in PERCENT_WOMEN.items() if percent <= 50]
    yield _category("occupations of women, mostly", "gender", women)
    yield _category("occupations of men, mostly", "gender", men)
    yield _category("occupations", None, women + men)


def _category(name: str, axis: str | None, words: Iterable[str]) -> Category:
    return Category(name, cast("Axis | None", axis), frozenset(words))
