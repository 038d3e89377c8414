"""Texts that are judged, and texts of known truth by which the judge is judged first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evenkeel.datasets.records import Prompt, Statement
from evenkeel.metrics.sampled import per_item

NO_GROUP = "none"
"""The verdict on a text that associates its item with no group."""
Verdict = str | None
"""Name of a group, `NO_GROUP`, or None where the judge gave no answer that counts."""
KnownKind = Literal["held_against", "other_group", "no_group", "statement"]


@dataclass(frozen=True, order=True)
class JudgedText:
    """All that a judge is shown of a text: not the group of the stereotype, not what wrote it."""

    item: str
    text: str


@dataclass(frozen=True)
class KnownText:
    """A text whose verdict is known."""

    kind: KnownKind
    shown: JudgedText
    truth: str
    held_against: str | None
    """The group that the lexicon says the item is held against."""


def judged_prompts(prompts: Sequence[Prompt], split: str, number: int) -> list[Prompt]:
    """So many prompts of each item of a split that the lexicon holds against a group."""
    return per_item([p for p in prompts if p.split == split and p.held_against], number)


def known_texts(
    prompts: Sequence[Prompt], statements: Sequence[Statement], number: int, seed: int
) -> list[KnownText]:
    """Texts of the validation split, whose items no judged text has.

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
    own = [statement for statement in statements if statement.split == "validation"]
    rng = np.random.default_rng(seed)
    chosen: list[Statement] = []
    for label in ("biased", "neutral"):
        of_label = [statement for statement in own if statement.label == label]
        order = rng.permutation(len(of_label))[: len(completed) // 6]
        chosen += [of_label[place] for place in sorted(order.tolist())]
    return completed + [_of_statement(statement) for statement in chosen]


def _completed(prompts: Sequence[Prompt]) -> Iterator[KnownText]:
    for place, prompt in enumerate(prompts):
        held = prompt.held_against
        assert held is not None, "prompts of judged_prompts have one"
        others = [group for group in prompt.groups if group != held]
        beginning = prompt.lead_in + prompt.text
        named: tuple[tuple[KnownKind, str], ...] = (
            ("held_against", held),
            ("other_group", others[place % len(others)]),
        )
        for kind, group in named:
            words = prompt.continuations[group]
            shown = JudgedText(prompt.item, beginning + words[place % len(words)])
            yield KnownText(kind, shown, group, held)
        yield KnownText("no_group", JudgedText(prompt.item, beginning), NO_GROUP, held)


def _of_statement(statement: Statement) -> KnownText:
    shown = JudgedText(statement.terms[-1], statement.lead_in + statement.text)
    held = statement.group if statement.label == "biased" else None
    return KnownText("statement", shown, statement.group, held)
