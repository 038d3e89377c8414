"""Edits of the latents of an axis, all at once, and of random ones in their place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from evenkeel.conditions.condition import DosedCondition
from evenkeel.conditions.recipe import Recipe
from evenkeel.conditions.vector import FitGates, Gating, tokens_behind
from evenkeel.errors import BadInputError
from evenkeel.params import Action, GateKind
from evenkeel.sae.dictionary import Dictionary
from evenkeel.steering.intervention import Intervention
from evenkeel.steering.latents import Clamp, Scale
from evenkeel.vectors.vector import SteeringVector

NEIGHBORS = 10
"""A latent is replaced by one of so many others whose firing frequency is nearest to its own."""


@dataclass(frozen=True, eq=False)
class LatentsCondition(DosedCondition):
    """Latents of an SAE held at a value, or scaled."""

    features: tuple[int, ...]
    action: Action
    multiplier: float
    """clamp: their value; scale: their factor."""
    dictionary: Dictionary
    gate: GateKind = "none"
    gating: Gating = field(default_factory=Gating)
    method: str = "sae"
    rows: tuple[SteeringVector, ...] = ()
    """The latents' decoder rows as vectors, which say what choosing the latents took."""

    @property
    def recipe(self) -> Recipe:
        point = self.dictionary.sae.place
        return Recipe(
            method=self.method,
            site=point.site,
            layer=point.layer,
            action=self.action,
            multiplier=self.multiplier,
            gate=self.gate,
            features=self.features,
        )

    @property
    def interventions(self) -> Sequence[Intervention]:
        sae, gates = self.dictionary.sae, self.gating.gates
        if self.action == "clamp":
            return (Clamp.of(sae, self.features, value=self.multiplier, gates=gates),)
        return (Scale.of(sae, self.features, factor=self.multiplier, gates=gates),)

    @property
    def train_tokens(self) -> int | None:
        return tokens_behind(self.rows, [self.gating])

    @property
    def firings(self) -> float:
        """How often the latents fire together, per token of the corpus."""
        return float(self.dictionary.frequency[list(self.features)].sum())

    @property
    def effect(self) -> float | None:
        return 1 - self.multiplier if self.action == "scale" else None

    def at(self, dose: float) -> Self:
        """The condition at another multiplier, in units of its own effect."""
        if self.action == "scale":  # 1 is what does nothing
            return replace(self, multiplier=1 - dose * (1 - self.multiplier))
        return replace(self, multiplier=dose * self.multiplier)


def make_latents_conditions(
    vectors: Sequence[SteeringVector],
    axis: str,
    dictionary: Dictionary,
    multipliers: Mapping[Action, Sequence[float]],
    gates: Sequence[GateKind] = ("none",),
    fit_gates: FitGates = lambda *_: Gating(),
) -> list[LatentsCondition]:
    """Every action, gate and multiplier on the latents whose decoder rows are vectors of the axis.

    Args:
        vectors: all there are; those of method sae are used.
        axis: the vectors' axis.
        dictionary: whose latents they are.
        multipliers: to try, by action (clamp, scale).
        gates: kinds of gate to try; a band is around one direction, and so none for many latents.
        fit_gates: makes them.

    Raises:
        BadInputError: there are none, or they are not of this SAE.
    """
    rows = tuple(v for v in vectors if v.axis == axis and v.method == "sae")
    if not rows:
        raise BadInputError(
            f"no sae vector for axis {axis!r} among those of models/vectors: no feature is "
            "associated with it; list some in vectors.sae.features, or take sae out of "
            "evaluation.methods"
        )
    _require_rows(rows, dictionary)
    features = tuple(row.feature for row in rows if row.feature is not None)
    fitted = {kind: fit_gates(kind, rows[:1]) for kind in gates if kind != "band"}
    return [
        LatentsCondition(features, action, float(force), dictionary, kind, gating, rows=rows)
        for action, forces in multipliers.items()
        for kind, gating in fitted.items()
        for force in forces
    ]


def random_latents(condition: LatentsCondition, draws: int, seed: int) -> list[LatentsCondition]:
    """The condition with other latents in the place of its own, which fire no less often.

    Args:
        condition: whose latents are replaced.
        draws: how many.
        seed: of the draws.

    Raises:
        BadInputError: the SAE has too few latents that fire.
    """
    frequency = condition.dictionary.frequency.numpy()
    generator = np.random.default_rng([seed, 4])
    return [
        replace(condition, features=features, method="random_latents")
        for features in matched_features(frequency, condition.features, draws, generator)
    ]


def matched_features(
    frequency: Float[ndarray, " d_sae"],
    features: Sequence[int],
    draws: int,
    generator: np.random.Generator,
) -> list[tuple[int, ...]]:
    """Random sets of other latents that together fire as often as those in whose place they stand.

    For each latent one of the `NEIGHBORS` others is drawn that are nearest to it in the logarithm
    of the frequency, none twice. Where the latents are the most frequent of all, and so their
    neighbors less so, further ones are drawn until the sums of the frequencies are level.

    Raises:
        BadInputError: all other latents together do not fire as often.
    """
    firing = np.setdiff1d(np.flatnonzero(frequency > 1e-9), features)
    total = float(frequency[list(features)].sum())
    if len(firing) <= len(features) or frequency[firing].sum() < total:
        raise BadInputError(
            f"{len(firing)} other features of the SAE ever fire, too few to draw sets from that "
            f"fire as often as {len(features)} features do; train it longer, or list fewer features"
        )
    sets = []
    for _ in range(draws):
        left, chosen = firing, []
        for feature in features:
            distance = np.abs(np.log(frequency[left]) - np.log(max(frequency[feature], 1e-9)))
            pick = left[generator.choice(np.argsort(distance, kind="stable")[:NEIGHBORS])]
            chosen.append(int(pick))
            left = left[left != pick]
        while frequency[chosen].sum() < total:
            pick = generator.choice(left)
            chosen.append(int(pick))
            left = left[left != pick]
        sets.append(tuple(chosen))
    return sets


def _require_rows(vectors: Sequence[SteeringVector], dictionary: Dictionary) -> None:
    """Refuse vectors that are not decoder rows of the SAE."""
    sae = dictionary.sae
    rows = torch.nn.functional.normalize(sae.decoder.cpu().float(), dim=1)
    for vector in vectors:
        assert vector.feature is not None, "a vector of method sae without its feature"
        fits = (vector.site, vector.layer) == (sae.place.site, sae.place.layer)
        fits = fits and vector.feature < sae.d_sae and len(vector.direction) == sae.d_in
        if not fits or float(rows[vector.feature] @ vector.direction) < 0.999:
            raise BadInputError(
                f"the vector of feature {vector.feature} is no decoder row of the SAE in use; run "
                "compute_vectors again"
            )
