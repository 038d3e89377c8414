"""Prompts: where a text is cut off so that its next word shows what the model believes."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from evenkeel.axes import AXES, SPLITS, Axis, Split
from evenkeel.axes.further import OCCUPATIONS, TERMS
from evenkeel.axes.items import Item, attribute_items
from evenkeel.axes.occupations import occupation_item, occupation_splits
from evenkeel.datasets.grammar import sentence_case
from evenkeel.datasets.records import Prompt, PromptKind
from evenkeel.datasets.templates import (
    ATTRIBUTE_TEMPLATES,
    GROUP_TEMPLATES,
    HEADS,
    NEUTRAL_SUBJECTS,
    NEUTRAL_TEMPLATES,
    OCCUPATION_TEMPLATES,
    PRONOUN_TEMPLATES,
    lead_in,
)

COUNTERPARTS = 2
"""Pairs (or tuples) of counterpart terms that an attribute is compared across, per template."""


class _Question(NamedTuple):
    """A template that asks for the group, and the words of each group."""

    text: str
    continuations: Mapping[str, tuple[str, ...]]


def make_prompts(
    axes: Sequence[str], strengths: Mapping[str, float], seed: int, lead_ins: bool
) -> list[Prompt]:
    """Write the prompts of each axis: stereotypical, definitional and neutral ones.

    Group given item, every item and every definitional subject of a split meets every template of
    it. Item given group, every item meets every template with some of the counterpart terms.

    Args:
        axes: keys of `AXES`.
        strengths: by axis, see `Item.rates`, which gives `reference`.
        seed: decides the split of each occupation.
        lead_ins: whether a neutral sentence stands before each prompt.
    """
    prompts: list[Prompt] = []
    for name in axes:
        axis, strength = AXES[name], strengths[name]
        for split in SPLITS:
            prompts += _group_given_item(axis, split, strength, seed, lead_ins)
            prompts += _item_given_group(axis, split, strength, seed, lead_ins)
            prompts += _neutral(axis, split, lead_ins)
        if name == "gender":
            prompts += _further(axis, lead_ins)
    return prompts


def occupations(split: Split, seed: int) -> list[Item]:
    """The occupations of a split in alphabetical order, as items of the gender axis."""
    splits = occupation_splits(seed)
    return [occupation_item(name) for name in sorted(splits) if splits[name] == split]


def _group_given_item(
    axis: Axis, split: Split, strength: float, seed: int, lead_ins: bool
) -> Iterator[Prompt]:
    stereotypical: list[tuple[str, Item]]
    if axis.name == "gender":
        questions = [_Question(*template) for template in PRONOUN_TEMPLATES[split]]
        stereotypical = [(f"the {item.word}", item) for item in occupations(split, seed)]
    else:
        words = {group.name: group.continuations for group in axis.groups}
        questions = [_Question(text, words) for text in GROUP_TEMPLATES[split]]
        stereotypical = [
            (f"the {{head}} who was {item.text}", item) for item in attribute_items(axis, split)
        ]
    for subject, item in stereotypical:
        known: dict[str, Any] = {
            "held_against": item.held_against,
            "reference": item.rates(strength),
        }
        name = item.word if axis.name == "gender" else item.text
        yield from _asked(axis, split, questions, subject, name, "stereotypical", lead_ins, known)
    for group in axis.group_names:
        for subject in axis.definitional_subjects(split, group):
            name = subject.removeprefix("the ")
            known = {"expected": group}
            yield from _asked(
                axis, split, questions, subject, name, "definitional", lead_ins, known
            )


def _further(axis: Axis, lead_ins: bool) -> Iterator[Prompt]:
    """Items for training alone; each meets every other template of the train split."""
    questions = [_Question(*template) for template in PRONOUN_TEMPLATES["train"]]
    items: list[tuple[str, dict[str, Any]]] = [(word, {}) for word in OCCUPATIONS]
    items += [(term, {"expected": group}) for group, terms in TERMS.items() for term in terms]
    for place, (name, known) in enumerate(items):
        subject = f"the {name}"
        asked = _asked(axis, "train", questions, subject, name, "further", lead_ins, known)
        yield from islice(asked, place % 2, None, 2)


def _asked(
    axis: Axis,
    split: Split,
    questions: Sequence[_Question],
    subject: str,
    item: str,
    kind: PromptKind,
    lead_ins: bool,
    known: Mapping[str, Any],
) -> Iterator[Prompt]:
    for number, question in enumerate(questions):
        head = HEADS[split][number % len(HEADS[split])]
        yield Prompt(
            id=f"{axis.name}-{kind}-{split}-{item}-{number}",
            axis=axis.name,
            kind=kind,
            template=question.text,
            item=item,
            split=split,
            lead_in=lead_in(split, number) if lead_ins else "",
            text=sentence_case(question.text.format(subject=subject.format(head=head))),
            continuations=question.continuations,
            parity=axis.parity,
            **known,
        )


def _item_given_group(
    axis: Axis, split: Split, strength: float, seed: int, lead_ins: bool
) -> Iterator[Prompt]:
    items = [(item, item.text, ATTRIBUTE_TEMPLATES) for item in attribute_items(axis, split)]
    if axis.name == "gender":
        items += [(item, item.word, OCCUPATION_TEMPLATES) for item in occupations(split, seed)]
    for place, (item, name, templates) in enumerate(items):
        each = COUNTERPARTS if templates is ATTRIBUTE_TEMPLATES else 1
        for number, template in enumerate(templates[split]):
            for turn in range(each):
                terms = axis.terms[split][(place + number * each + turn) % len(axis.terms[split])]
                yield Prompt(
                    id=f"{axis.name}-compared-{split}-{name}-{number}-{turn}",
                    axis=axis.name,
                    kind="stereotypical",
                    direction="item_given_group",
                    template=template,
                    item=name,
                    split=split,
                    lead_in=lead_in(split, number) if lead_ins else "",
                    text=f"{sentence_case(template)} {item.lead}",
                    contexts={
                        group: f"{sentence_case(template.format(group=term))} {item.lead}"
                        for group, term in zip(axis.group_names, terms, strict=True)
                    },
                    continuations=dict.fromkeys(axis.group_names, (f" {item.word}",)),
                    held_against=item.held_against,
                    reference=item.rates(strength),
                )


def _neutral(axis: Axis, split: Split, lead_ins: bool) -> Iterator[Prompt]:
    for thing in NEUTRAL_SUBJECTS[split]:
        for number, template in enumerate(NEUTRAL_TEMPLATES[split]):
            yield Prompt(
                id=f"{axis.name}-neutral-{split}-{thing}-{number}",
                axis=axis.name,
                kind="neutral",
                template=template,
                item=thing,
                split=split,
                lead_in=lead_in(split, number) if lead_ins else "",
                text=sentence_case(template.format(subject=f"the {thing}")),
            )
