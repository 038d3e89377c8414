"""Steering vectors as conditions: every vector, layer, action and multiplier."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, get_args

from jaxtyping import Float
from torch import Tensor

from evenkeel.conditions.condition import DosedCondition
from evenkeel.conditions.places import places
from evenkeel.conditions.recipe import Recipe
from evenkeel.errors import BadInputError
from evenkeel.params import Action, GateKind, Layers, PreferenceMethod
from evenkeel.steering.from_vector import interventions_of
from evenkeel.steering.gates import Gate
from evenkeel.steering.intervention import Intervention
from evenkeel.vectors.erasers import Eraser
from evenkeel.vectors.vector import SteeringVector

FIXED = ("sae", *get_args(PreferenceMethod))
"""Methods whose vectors are tried at every layer that has one, whatever layers are asked for."""


@dataclass(frozen=True, eq=False)
class Gating:
    """Where an ablation at one hook point acts, and what it leaves there."""

    gates: tuple[Gate, ...] = ()
    midpoint: Float[Tensor, " d_model"] | None = None
    """Mean of the groups' means there, for action mean_ablate; None is unknown."""
    tokens_read: int = 0
    """By the model, for this gating and those of the other hook points together."""


Vectors = tuple[SteeringVector, ...]
FitGates = Callable[[GateKind, Vectors], Gating]
"""The gating of the vectors of one hook point, by kind of gate."""


@dataclass(frozen=True, eq=False)
class VectorCondition(DosedCondition):
    """One action with one multiplier, by the vectors of one method at one layer or at all."""

    vectors: tuple[Vectors, ...]
    """By hook point: one vector where an axis has two groups, those that span the differences
    between its groups where it has more."""
    action: Action
    multiplier: float
    gate: GateKind = "none"
    gatings: tuple[Gating, ...] = ()
    """That of each hook point; empty if the condition acts everywhere."""

    @property
    def first(self) -> SteeringVector:
        return self.vectors[0][0]

    @property
    def all_vectors(self) -> Vectors:
        return tuple(vector for vectors in self.vectors for vector in vectors)

    @property
    def recipe(self) -> Recipe:
        layers = [vectors[0].layer for vectors in self.vectors]
        feature = self.first.feature
        return Recipe(
            method=self.first.method,
            site=self.first.site,
            layer="all" if len(layers) > 1 else layers[0],
            action=self.action,
            multiplier=self.multiplier,
            gate=self.gate,
            features=() if feature is None else (feature,),
        )

    @property
    def interventions(self) -> Sequence[Intervention]:
        gatings = self.gatings or (Gating(),) * len(self.vectors)
        return [
            intervention
            for vectors, gating in zip(self.vectors, gatings, strict=True)
            for intervention in self._at(vectors, gating)
        ]

    @property
    def train_tokens(self) -> int | None:
        return tokens_behind(self.all_vectors, self.gatings)

    @property
    def effect(self) -> float:
        return self.multiplier

    def at(self, dose: float) -> Self:
        """The condition at another multiplier, in units of its own."""
        return replace(self, multiplier=dose * self.multiplier)

    def _at(self, vectors: Vectors, gating: Gating) -> Iterator[Intervention]:
        yield from interventions_of(
            vectors, self.action, self.multiplier, midpoint=gating.midpoint, gates=gating.gates
        )


def make_vector_conditions(
    vectors: Sequence[SteeringVector],
    axis: str,
    methods: Sequence[str],
    layers: Layers,
    multipliers: Mapping[Action, Sequence[float]],
    gates: Sequence[GateKind] = ("none",),
    fit_gates: FitGates = lambda *_: Gating(),
) -> list[VectorCondition]:
    """Every condition, in a fixed order.

    Args:
        vectors: all there are.
        axis: the vectors' axis.
        methods: the vectors' methods.
        layers: indices at each of which vectors are tried, but for those of `FIXED`; "all": at each
            that has some. Where more than one layer is tried, so are all that have vectors at once.
        multipliers: to try, by action. Several vectors of one hook point are never added: each
            would favour a group.
        gates: kinds of gate to try on each ablation, of those with a midpoint on each mean
            ablation; what is added is added everywhere.
        fit_gates: makes the gating of a hook point.

    Raises:
        BadInputError: a method has no vector for the axis, or a layer has none of a method.
    """
    conditions = []
    for method in methods:
        of_method = [v for v in vectors if v.axis == axis and v.method == method]
        if not of_method:
            known = sorted({f"{vector.method} of {vector.axis}" for vector in vectors})
            raise BadInputError(
                f"no {method} vector for axis {axis!r} among those of models/vectors; there are: "
                f"{', '.join(known) or 'none'}"
            )
        # Each feature by itself. Where its SAE is, or a vector was trained, is no layer to choose.
        given = "all" if method in FIXED else layers
        for site, feature in dict.fromkeys((v.site, v.feature) for v in of_method):
            by_layer: dict[int, Vectors] = {}
            for vector in of_method:
                if (vector.site, vector.feature) == (site, feature):
                    by_layer[vector.layer] = (*by_layer.get(vector.layer, ()), vector)
            by_layer = {layer: spanning(found) for layer, found in by_layer.items()}
            tried_at = list(places(by_layer, given))
            tried = {found[0].layer: found for place in tried_at for found in place}
            fitted = {
                kind: {layer: fit_gates(kind, found) for layer, found in tried.items()}
                for kind in dict.fromkeys(["none", *gates])
            }
            for place in tried_at:
                for action, forces in multipliers.items():
                    if action == "add" and any(len(found) > 1 for found in place):
                        continue
                    for kind in gates if action != "add" else ("none",):
                        if kind == "band" and any(len(found) > 1 for found in place):
                            continue  # a band is around one direction
                        gatings = tuple(fitted[kind][found[0].layer] for found in place)
                        if action == "mean_ablate" and any(g.midpoint is None for g in gatings):
                            continue
                        conditions += [
                            VectorCondition(place, action, float(force), kind, gatings)
                            for force in forces
                        ]
    return conditions


def tokens_behind(made: Sequence[SteeringVector | Eraser], gatings: Sequence[Gating]) -> int | None:
    """Tokens that the model read for vectors or erasers and their gates; None if not recorded.

    Hook points share the statements that vectors and erasers are fitted to, and the prompts that
    gates are; what is trained by descent reads its prompts for every hook point anew.
    """
    read = [each.tokens_read for each in made]
    known = [tokens for tokens in read if tokens is not None]
    if len(known) < len(read):
        return None
    apart = all(each.method in get_args(PreferenceMethod) for each in made)
    of_gates = max((gating.tokens_read for gating in gatings), default=0)
    return (sum(known) if apart else max(known)) + of_gates


def spanning(vectors: Vectors) -> Vectors:
    """Those vectors of one hook point that span what all of them span.

    The differences of each group from the others add up to nothing, so that the last one is a
    combination of those before it.
    """
    return vectors if len(vectors) == 1 else vectors[:-1]
