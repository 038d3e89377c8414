"""The interventions that are tried: every vector, at every layer, with every action and force."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.params import Action, GateKind, Layers
from evenkeel.sae.dictionary import Dictionary
from evenkeel.sae.loading import LoadedSae
from evenkeel.steering.erasure import MeanAblate
from evenkeel.steering.gates import Gate
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.latents import Clamp, Scale
from evenkeel.vectors.vector import SteeringVector


@dataclass(frozen=True, eq=False)
class Gating:
    """Where an ablation with a vector acts, and what it leaves there."""

    gates: tuple[Gate, ...] = ()
    middle: Float[Tensor, " d_model"] | None = None
    """Midway between the two sides there, for action mean_ablate; None is unknown."""


FitGates = Callable[[GateKind, SteeringVector], Gating]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One action with one force, by the vectors of one method at one layer or at all."""

    vectors: tuple[SteeringVector, ...]
    action: Action
    multiplier: float
    """add: in units of the stream's mean norm at the vector's place; ablate: share taken out;
    mean_ablate: share of the way to the middle; clamp: the latents' value; scale: their factor."""
    gate: GateKind = "none"
    gatings: tuple[Gating, ...] = ()
    """That of each vector, or of all latents at once; empty if all act everywhere."""
    dictionary: Dictionary | None = None
    """Of the latents that are edited (clamp, scale)."""

    @property
    def method(self) -> str:
        return self.vectors[0].method

    @property
    def site(self) -> str:
        return self.vectors[0].site

    @property
    def layer(self) -> int | Literal["all"]:
        """The layer's index, or "all" of those that have a vector."""
        layers = {vector.layer for vector in self.vectors}
        return "all" if len(layers) > 1 else layers.pop()

    @property
    def features(self) -> tuple[int, ...]:
        """Latents whose decoder rows the vectors are; none but for method sae."""
        return tuple(vector.feature for vector in self.vectors if vector.feature is not None)

    @property
    def name(self) -> str:
        """What is compared on the test split: the method, the action and the gate."""
        name = f"{self.method}_{self.action}"
        return name if self.gate == "none" else f"{name}_{self.gate}"

    @property
    def recipe(self) -> dict[str, str | int | float]:
        """What was done, as the tables and JSON files say it."""
        return {
            "method": self.method,
            "features": " ".join(map(str, self.features)),
            "site": self.site,
            "layer": self.layer,
            "action": self.action,
            "multiplier": self.multiplier,
            "gate": self.gate,
        }

    @property
    def interventions(self) -> list[Intervention]:
        gatings = self.gatings or (Gating(),) * len(self.vectors)
        if self.dictionary is not None:
            return [self._edit_of_latents(self.dictionary.sae, gatings[0].gates)]
        return [self._intervention(*pair) for pair in zip(self.vectors, gatings, strict=True)]

    def at(self, dose: float) -> "Candidate":
        """The candidate at another force, in units of its own."""
        if self.action == "scale":  # 1 is what does nothing
            return replace(self, multiplier=1 - dose * (1 - self.multiplier))
        return replace(self, multiplier=dose * self.multiplier)

    def _edit_of_latents(self, sae: LoadedSae, gates: tuple[Gate, ...]) -> Intervention:
        if self.action == "clamp":
            return Clamp.of(sae, self.features, value=self.multiplier, gates=gates)
        return Scale.of(sae, self.features, factor=self.multiplier, gates=gates)

    def _intervention(self, vector: SteeringVector, gating: Gating) -> Intervention:
        if self.action == "add":
            return Add.relative(vector, self.multiplier, gates=gating.gates)
        where: Any = {"layer": vector.layer, "site": vector.site, "gates": gating.gates}
        if self.action == "ablate":
            return Ablate(vector.direction, self.multiplier, **where)
        assert gating.middle is not None, "mean_ablate without a middle"
        return MeanAblate(vector.direction, gating.middle, self.multiplier, **where)


def make_candidates(
    vectors: Sequence[SteeringVector],
    axis: str,
    methods: Sequence[str],
    layers: Layers,
    multipliers: Mapping[Action, Sequence[float]],
    gates: Sequence[GateKind] = ("none",),
    fit_gates: FitGates = lambda *_: Gating(),
) -> list[Candidate]:
    """Every candidate, in a fixed order.

    Args:
        vectors: all there are.
        axis: the vectors' axis.
        methods: the vectors' methods.
        layers: indices at each of which a vector is tried; "all": at each that has one, and at all
            of them at once.
        multipliers: forces to try, by action.
        gates: kinds of gate to try on each ablation, of those with a middle on each mean ablation;
            what is added is added everywhere.
        fit_gates: makes one of a kind for a vector.

    Raises:
        BadInputError: a method has no vector for the axis, or a layer has none of a method.
    """
    candidates = []
    for method in methods:
        own = [vector for vector in vectors if vector.axis == axis and vector.method == method]
        if not own:
            known = sorted({f"{vector.method} of {vector.axis}" for vector in vectors})
            raise BadInputError(
                f"no {method} vector for axis {axis!r} among those of models/vectors; there are: "
                f"{', '.join(known) or 'none'}"
            )
        # Each feature by itself, and where its SAE is: that is not a layer to choose.
        for kind_of in dict.fromkeys((vector.site, vector.feature) for vector in own):
            alike = [vector for vector in own if (vector.site, vector.feature) == kind_of]
            by_layer = {vector.layer: vector for vector in alike}
            places = list(_places(by_layer, "all" if method == "sae" else layers))
            tried = {vector.layer: vector for place in places for vector in place}
            fitted = {
                kind: {layer: fit_gates(kind, vector) for layer, vector in tried.items()}
                for kind in dict.fromkeys(["none", *gates])
            }
            for place in places:
                for action, forces in multipliers.items():
                    for kind in gates if action != "add" else ("none",):
                        gatings = tuple(fitted[kind][vector.layer] for vector in place)
                        if action == "mean_ablate" and any(own.middle is None for own in gatings):
                            continue
                        candidates += [
                            Candidate(place, action, float(force), kind, gatings)
                            for force in forces
                        ]
    return candidates


def _places(
    by_layer: dict[int, SteeringVector], layers: Layers
) -> Iterator[tuple[SteeringVector, ...]]:
    if layers == "all":
        for layer in sorted(by_layer):
            yield (by_layer[layer],)
        if len(by_layer) > 1:
            yield tuple(by_layer[layer] for layer in sorted(by_layer))
        return
    for layer in layers:
        if layer not in by_layer:
            raise BadInputError(
                f"evaluation.layers names layer {layer}, but there is a vector only for layers "
                f"{sorted(by_layer)}; add it to activations.statements.layers or drop it here"
            )
        yield (by_layer[layer],)
