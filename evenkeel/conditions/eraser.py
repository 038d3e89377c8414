"""Erasers as conditions: every method, layer and gate."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.conditions.condition import DosedCondition
from evenkeel.conditions.places import places
from evenkeel.conditions.recipe import Recipe
from evenkeel.conditions.vector import Gating, tokens_behind
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.params import GateKind, Layers
from evenkeel.steering.from_vector import erasure_of
from evenkeel.steering.intervention import Intervention
from evenkeel.vectors.erasers import Eraser

GateAtItems = Callable[[HookPoint], Gating]
"""The gating at items of stereotypical prompts, with the midpoint of the groups there."""


@dataclass(frozen=True, eq=False)
class EraserCondition(DosedCondition):
    """The erasers of one method at one layer or at all; behind a gate, the midpoint of the groups
    takes the place of what is erased."""

    erasers: tuple[Eraser, ...]
    """One a hook point."""
    method: str
    gatings: tuple[Gating, ...] = ()
    """That of each hook point; empty if the condition acts everywhere."""
    multiplier: float = 1.0

    @property
    def recipe(self) -> Recipe:
        layers = [eraser.layer for eraser in self.erasers]
        return Recipe(
            method=self.method,
            site=self.erasers[0].site,
            layer="all" if len(layers) > 1 else layers[0],
            multiplier=self.multiplier,
            rank=max(len(eraser.proj_right) for eraser in self.erasers),
            gate="probe" if self.gatings else "none",
        )

    @property
    def interventions(self) -> Sequence[Intervention]:
        gatings = self.gatings or (Gating(),) * len(self.erasers)
        return [
            erasure_of(eraser, multiplier=self.multiplier, kept=gating.midpoint, gates=gating.gates)
            for eraser, gating in zip(self.erasers, gatings, strict=True)
        ]

    @property
    def train_tokens(self) -> int | None:
        return tokens_behind(self.erasers, self.gatings)

    @property
    def effect(self) -> float:
        return self.multiplier

    def at(self, dose: float) -> Self:
        """The condition at another multiplier, in units of its own."""
        return replace(self, multiplier=dose * self.multiplier)

    def rotated(self, draws: int, seed: int) -> list[Self]:
        """The same projections, as oblique as before, turned to random directions."""
        generator = np.random.default_rng([seed, 6])
        return [
            replace(
                self,
                erasers=tuple(_rotated(eraser, generator) for eraser in self.erasers),
                method="random",
            )
            for _ in range(draws)
        ]

    def along(self, directions: Iterable[Float[Tensor, "rank d_model"]]) -> Self:
        """The orthogonal projections of other directions, a set a hook point, in their place."""
        erasers = []
        for eraser, rows in zip(self.erasers, directions, strict=True):
            basis = torch.linalg.qr(rows.double().mT).Q.float()
            erasers.append(replace(eraser, proj_left=basis, proj_right=basis.mT.contiguous()))
        return replace(self, erasers=tuple(erasers), method="shuffled")


def make_eraser_conditions(
    erasers: Sequence[Eraser],
    axis: str,
    methods: Sequence[str],
    layers: Layers,
    gates: Sequence[GateKind],
    gate_at: GateAtItems,
) -> list[EraserCondition]:
    """Every condition, in a fixed order.

    Args:
        erasers: all there are; those of the group are used.
        axis: the erasers' axis.
        methods: the erasers' methods.
        layers: as of `make_vector_conditions`.
        gates: kinds of gate to try; a band is around one direction, and an eraser has none.
        gate_at: makes the gating of a hook point.

    Raises:
        BadInputError: a method has no eraser for the axis, or a layer has none of a method.
    """
    conditions = []
    for method in methods:
        of_method = [
            eraser
            for eraser in erasers
            if (eraser.axis, eraser.method, eraser.concept) == (axis, method, "group")
        ]
        if not of_method:
            raise BadInputError(
                f"no {method} eraser of the group for axis {axis!r} among those of models/vectors; "
                f"run compute_vectors again, with {method} in vectors.eraser_methods"
            )
        for site in dict.fromkeys(eraser.site for eraser in of_method):
            by_layer = {eraser.layer: eraser for eraser in of_method if eraser.site == site}
            for place in places(by_layer, layers):
                conditions += [
                    EraserCondition(
                        place,
                        method,
                        tuple(gate_at(eraser.point) for eraser in place) if gate == "probe" else (),
                    )
                    for gate in gates
                    if gate != "band"
                ]
    return conditions


def _rotated(eraser: Eraser, generator: np.random.Generator) -> Eraser:
    """The eraser after a random rotation of the space that it reads and writes."""
    both = torch.cat([eraser.proj_left, eraser.proj_right.mT], dim=1).double()
    coordinates = torch.linalg.qr(both).R
    drawn = torch.from_numpy(generator.normal(size=(len(both), len(coordinates))))
    turned = (torch.linalg.qr(drawn).Q @ coordinates).float()
    left, right = turned.split(eraser.proj_left.shape[1], dim=1)
    return replace(eraser, proj_left=left.contiguous(), proj_right=right.mT.contiguous())
