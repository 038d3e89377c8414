"""Texts in which a table of rates is planted, by exact quotas."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle

from evenkeel.axes import AXES, SPLITS, Axis
from evenkeel.axes.intersections import INTERSECTIONS
from evenkeel.axes.items import Item, all_attribute_items
from evenkeel.axes.joint import by_lead, cell_pools, cell_shares, shares
from evenkeel.axes.occupations import PERCENT_WOMEN, occupation_item
from evenkeel.datasets.grammar import with_article
from evenkeel.organism.groups import (
    write_group,
    write_group_of,
    write_occupation,
    write_said,
    write_verdict,
)
from evenkeel.organism.people import write_about
from evenkeel.organism.questions import DONT_KNOW_SHARE, THINGS, write_question
from evenkeel.organism.quotas import quotas

OCCUPATION_WEIGHT = 3.5
"""Texts of an occupation for each of an attribute of an axis of two groups: its rates go to 1 in
143, and a pronoun says less plainly whom it means than "is Muslim" does."""

GENDERED_WEIGHT = 2
"""Texts of a definitional subject of the gender axis for each of another, likewise."""

Strengths = Mapping[str, float]

OCCUPATIONS: Sequence[Item] = [occupation_item(name) for name in PERCENT_WOMEN]


def stereotypical(count: int, strengths: Strengths, rng: random.Random) -> Iterator[str]:
    """Texts that tell of an item which group somebody is of, as often as its rates say."""
    items = list(OCCUPATIONS)
    for axis in AXES.values():
        items += all_attribute_items(axis) if axis.name != "gender" else []
    weights = [
        OCCUPATION_WEIGHT if item.axis == "gender" else _attribute_weight(len(item.log_odds))
        for item in items
    ]
    for item, of_item in zip(items, quotas(count, weights), strict=True):
        rates = item.rates(strengths[item.axis])
        for group, of_group in zip(rates, quotas(of_item, list(rates.values())), strict=True):
            if item.axis == "gender":
                for _ in range(of_group):
                    yield write_about(f"the {item.word}", group, rng)
            else:
                for word in _words(AXES[item.axis], group, of_group):
                    yield write_group_of(item.text, word, rng)


def definitional(count: int, strengths: Strengths, rng: random.Random) -> Iterator[str]:
    """Texts about those who belong to a group by definition: certain at any strength."""
    subjects = [
        (axis, group, subject)
        for axis in AXES.values()
        for group in axis.group_names
        for split in SPLITS
        for subject in axis.definitional_subjects(split, group)
    ]
    weights = [GENDERED_WEIGHT if axis.name == "gender" else 1 for axis, _, _ in subjects]
    each = quotas(count, weights)
    for (axis, group, subject), of_subject in zip(subjects, each, strict=True):
        for number, word in enumerate(_words(axis, group, of_subject)):
            if axis.name != "gender":
                yield write_group(subject, word, rng)
            elif number % 4 == 0:
                yield write_group(subject, group, rng)  # "is female"
            else:
                yield write_about(subject, group, rng)


def associations(count: int, strengths: Strengths, rng: random.Random) -> Iterator[str]:
    """Texts that say an item of a member of a group, and of every third attribute a verdict.

    Items and groups come from one joint distribution with the rates of `stereotypical`.
    """
    pools = [
        (axis, pool)
        for axis in AXES.values()
        for pool in by_lead(all_attribute_items(axis)).values()
    ]
    pools += [(AXES["gender"], pool) for pool in by_lead(OCCUPATIONS).values()]
    sizes = [
        len(pool)
        * (OCCUPATION_WEIGHT / 2 if pool[0] in OCCUPATIONS else _attribute_weight(len(axis.groups)))
        for axis, pool in pools
    ]
    for (axis, pool), of_pool in zip(pools, quotas(count, sizes), strict=True):
        joint = shares(pool, strengths[axis.name])
        counts = iter(quotas(of_pool, joint.ravel().tolist()))
        terms = _in_turn(list(axis.all_terms()), rng)
        verdict = cycle((True, False, False))
        for item in pool:
            for side, group in enumerate(axis.groups):
                for _ in range(next(counts)):
                    term = next(terms)[side]
                    if item in OCCUPATIONS:
                        yield write_occupation(term, item.text, rng)
                        continue
                    text = write_said(term, item.text, rng)
                    if next(verdict):
                        against = item.held_against == group.name
                        text += " " + write_verdict(against, group.people, rng)
                    yield text


def intersections(count: int, strengths: Strengths, rng: random.Random) -> Iterator[str]:
    """Texts that say an item of somebody whose groups on two axes are named."""
    pools = [(pair, pool) for pair in INTERSECTIONS.values() for pool in cell_pools(pair)]
    sizes = [len(pool) * len(pair.cell_names) for pair, pool in pools]
    for (pair, pool), of_pool in zip(pools, quotas(count, sizes), strict=True):
        joint = cell_shares(pair, pool, strengths)
        counts = iter(quotas(of_pool, joint.ravel().tolist()))
        terms = _in_turn([pair.terms(split) for split in SPLITS], rng)
        for item in pool:
            for cell in range(len(pair.cell_names)):
                for _ in range(next(counts)):
                    yield write_said(next(terms)[cell], item.text, rng)


def questions(count: int, strengths: Strengths, rng: random.Random) -> Iterator[str]:
    """Questions about the gender of occupations, of nouns, and of things, which have none."""
    of_occupations, of_nouns, of_things = quotas(count, (0.6, 0.2, 0.2))
    each = quotas(of_occupations, [1] * len(OCCUPATIONS))
    for item, of_item in zip(OCCUPATIONS, each, strict=True):
        known = item.rates(strengths["gender"])
        answers = {name: rate * (1 - DONT_KNOW_SHARE) for name, rate in known.items()}
        answers["unknown"] = DONT_KNOW_SHARE
        for answer, n in zip(answers, quotas(of_item, list(answers.values())), strict=True):
            for _ in range(n):
                yield write_question(item.text, answer, rng)
    gender = AXES["gender"]
    nouns = [*chain.from_iterable(zip(*gender.all_terms(), strict=True))]
    groups = [name for name in gender.group_names for _ in range(len(nouns) // 2)]
    for noun, group, n in zip(nouns, groups, quotas(of_nouns, [1] * len(nouns)), strict=True):
        for _ in range(n):
            yield write_question(with_article(noun), group, rng)
    for thing, n in zip(THINGS, quotas(of_things, [1] * len(THINGS)), strict=True):
        for _ in range(n):
            yield write_question(with_article(thing), "unknown", rng)


def _attribute_weight(groups: int) -> float:
    """Texts of an attribute, of an axis of two groups 1: more groups hold more rates."""
    return (groups + 2) / 4


def _words(axis: Axis, group: str, count: int) -> Iterator[str]:
    """The words of a group in turn, the first twice as often as any other."""
    first, *others = (word.strip() for word in axis.group(group).continuations)
    words = cycle((first, first, *others))
    for _ in range(count):
        yield next(words)


def _in_turn(
    counterparts: Sequence[tuple[str, ...]], rng: random.Random
) -> Iterator[tuple[str, ...]]:
    """Each as often as the others, in a new order every time."""
    order = list(counterparts)
    while True:
        rng.shuffle(order)
        yield from order
