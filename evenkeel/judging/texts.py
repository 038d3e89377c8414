"""Texts that are judged, and labelled texts by which the judge is judged first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evenkeel.datasets.records import Prompt, Statement
from evenkeel.metrics.sampled import per_item

NO_GROUP = "none"
"""The verdict on a text that associates its item with no group."""
Verdict = str | None
"""Name of a group, `NO_GROUP`, or None where there is no valid verdict."""
LabelledKind = Literal["stereotype", "other_group", "no_group", "statement"]


@dataclass(frozen=True, order=True)
class JudgedText:
    """All that a judge is shown of a text: neither the group that its item is held against, nor
    whether it was steered."""

    item: str
    text: str


@dataclass(frozen=True)
class LabelledText:
    """A text whose right verdict is known."""

    kind: LabelledKind
    shown: JudgedText
    label: str
    held_against: str | None
    """The group that the lexicon says the item is held against."""


@dataclass(frozen=True)
class SampledPair:
    """A prompt with its continuation, unsteered and steered, from the same random numbers."""

    item: str
    held_against: str
    unsteered: str
    steered: str | None
    """None where no intervention was selected."""

    @property
    def shown(self) -> list[JudgedText]:
        """Its texts as the judge is shown them."""
        texts = (self.unsteered, self.steered)
        return [JudgedText(self.item, text) for text in texts if text is not None]


def blind_order(texts: Sequence[JudgedText], seed: int) -> list[JudgedText]:
    """Distinct texts in an order that the seed alone decides, whatever order they came in."""
    distinct = sorted(set(texts))
    order = np.random.default_rng(seed).permutation(len(distinct))
    return [distinct[place] for place in order.tolist()]


def judged_prompts(prompts: Sequence[Prompt], split: str, number: int) -> list[Prompt]:
    """So many prompts of each item of a split that the lexicon holds against a group."""
    return per_item([p for p in prompts if p.split == split and p.held_against], number)


def labelled_texts(
    prompts: Sequence[Prompt], statements: Sequence[Statement], number: int, seed: int
) -> list[LabelledText]:
    """Texts of the validation split, whose items no sampled text has.

    Each of `number` prompts an item makes three texts: continued by a word of the group that the
    item is held against, by one of another group, and not at all. As many statements, biased and
    neutral ones by halves, speak of their group by words that no continuation has.

    Args:
        prompts: of one axis.
        statements: of the same axis.
        number: prompts of each item.
        seed: of the choice of statements.
    """
    completed = list(_completed(judged_prompts(prompts, "validation", number)))
    validation = [statement for statement in statements if statement.split == "validation"]
    rng = np.random.default_rng(seed)
    chosen: list[Statement] = []
    for label in ("biased", "neutral"):
        of_label = [statement for statement in validation if statement.label == label]
        order = rng.permutation(len(of_label))[: len(completed) // 6]
        chosen += [of_label[place] for place in sorted(order.tolist())]
    return completed + [_of_statement(statement) for statement in chosen]


def _completed(prompts: Sequence[Prompt]) -> Iterator[LabelledText]:
    for place, prompt in enumerate(prompts):
        held = prompt.held_against
        assert held is not None, "prompts of judged_prompts have one"
        others = [group for group in prompt.groups if group != held]
        beginning = prompt.lead_in + prompt.text
        named: tuple[tuple[LabelledKind, str], ...] = (
            ("stereotype", held),
            ("other_group", others[place % len(others)]),
        )
        for kind, group in named:
            words = prompt.continuations[group]
            shown = JudgedText(prompt.item, beginning + words[place % len(words)])
            yield LabelledText(kind, shown, group, held)
        yield LabelledText("no_group", JudgedText(prompt.item, beginning), NO_GROUP, held)


def _of_statement(statement: Statement) -> LabelledText:
    shown = JudgedText(statement.terms[-1], statement.lead_in + statement.text)
    held = statement.group if statement.label == "biased" else None
    return LabelledText("statement", shown, statement.group, held)
