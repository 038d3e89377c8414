"""Learned edits as conditions: every rank, set of layers and strength."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch

from evenkeel.conditions.condition import DosedCondition
from evenkeel.conditions.recipe import Recipe
from evenkeel.steering.intervention import Intervention
from evenkeel.steering.loreft import Loreft

Edits = tuple[Loreft, ...]
TrainEdits = Callable[[int, Sequence[int], int | None], tuple[Edits, int]]
"""(rank, layers, number of a shuffle of the items or None) -> one edit a layer, and how many tokens
were read for them."""


@dataclass(frozen=True, eq=False)
class LearnedCondition(DosedCondition):
    """Trained edits of a set of layers, at a multiple of their strength."""

    edits: Edits
    train: TrainEdits
    """Makes them, and the same of shuffled items."""
    shuffles: int
    """How many shuffles null edits are trained on at most; each takes a training."""
    multiplier: float = 1.0
    method: str = "reft"
    train_tokens: int | None = None

    @property
    def rank(self) -> int:
        return len(self.edits[0].rotation)

    @property
    def layers(self) -> tuple[int, ...]:
        return tuple(edit.layer for edit in self.edits)

    @property
    def recipe(self) -> Recipe:
        return Recipe(
            method=self.method,
            site=self.edits[0].site,
            layer=self.layers if len(self.edits) > 1 else self.layers[0],
            multiplier=self.multiplier,
            rank=self.rank,
            gate="probe" if self.edits[0].gates else "none",
        )

    @property
    def interventions(self) -> Sequence[Intervention]:
        return [replace(edit, multiplier=self.multiplier) for edit in self.edits]

    @property
    def effect(self) -> float:
        return self.multiplier

    def at(self, dose: float) -> Self:
        """The condition at another multiplier, in units of its own."""
        return replace(self, multiplier=dose * self.multiplier)

    def of_shuffled_items(self, draws: int) -> list["LearnedCondition"]:
        """The same training, each item given the scores of another one to lose."""
        return [
            replace(self, edits=edits, method="shuffled_items", train_tokens=tokens)
            for draw in range(min(draws, self.shuffles))
            for edits, tokens in [self.train(self.rank, self.layers, draw)]
        ]

    def in_random_subspaces(self, draws: int, seed: int) -> list["LearnedCondition"]:
        """The same edits, as large and read as before, along random dimensions."""
        generator = np.random.default_rng([seed, 5])
        return [
            replace(
                self,
                edits=tuple(_turned(edit, generator) for edit in self.edits),
                method="random_subspace",
            )
            for _ in range(draws)
        ]


def make_learned_conditions(
    train: TrainEdits,
    ranks: Sequence[int],
    layer_sets: Sequence[Sequence[int]],
    multipliers: Sequence[float],
    shuffles: int,
) -> Iterator[LearnedCondition]:
    """Train an edit of every rank at every set of layers, and give it at every strength.

    Args:
        train: trains one.
        ranks: dimensions that are written to at each layer.
        layer_sets: blocks whose outputs are edited at once.
        multipliers: of the edit.
        shuffles: null edits that may be trained.
    """
    for rank in ranks:
        for layers in layer_sets:
            edits, tokens = train(rank, layers, None)
            for multiplier in multipliers:
                yield LearnedCondition(
                    edits, train, shuffles, float(multiplier), train_tokens=tokens
                )


def _turned(edit: Loreft, generator: np.random.Generator) -> Loreft:
    """The edit of the same size everywhere, written along random orthonormal rows."""
    drawn = torch.from_numpy(generator.normal(size=(edit.width, len(edit.rotation))))
    rotation = torch.linalg.qr(drawn).Q.mT.to(edit.rotation)
    return replace(edit, rotation=rotation, source=edit.source - edit.rotation + rotation)
