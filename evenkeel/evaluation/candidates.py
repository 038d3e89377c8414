"""The interventions that are tried: every vector, at every layer, with every action and force."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from evenkeel.errors import BadInputError
from evenkeel.params import Action, Layers, Site
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.vectors.vector import SteeringVector


@dataclass(frozen=True, eq=False)
class Candidate:
    """One action with one force, by the vectors of one method at one layer or at all."""

    vectors: tuple[SteeringVector, ...]
    action: Action
    multiplier: float
    """add: in units of the stream's mean norm at the vector's place; ablate: share taken out."""

    @property
    def method(self) -> str:
        return self.vectors[0].method

    @property
    def site(self) -> str:
        return self.vectors[0].site

    @property
    def layer(self) -> int | Literal["all"]:
        """The layer's index, or "all" of those that have a vector."""
        return "all" if len(self.vectors) > 1 else self.vectors[0].layer

    @property
    def name(self) -> str:
        """What is compared on the test split: the method and the action."""
        return f"{self.method}_{self.action}"

    @property
    def interventions(self) -> list[Intervention]:
        return [self._intervention(vector) for vector in self.vectors]

    def _intervention(self, vector: SteeringVector) -> Intervention:
        if self.action == "add":
            return Add.relative(vector, self.multiplier)
        return Ablate(
            layer=vector.layer,
            site=cast(Site, vector.site),
            directions=vector.direction,
            multiplier=self.multiplier,
        )


def make_candidates(
    vectors: Sequence[SteeringVector],
    axis: str,
    methods: Sequence[str],
    layers: Layers,
    multipliers: dict[Action, Sequence[float]],
) -> list[Candidate]:
    """Every candidate, in a fixed order.

    Args:
        vectors: all there are.
        axis: the vectors' axis.
        methods: the vectors' methods.
        layers: indices at each of which a vector is tried; "all": at each that has one, and at all
            of them at once.
        multipliers: forces to try, by action.

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
        for site in dict.fromkeys(vector.site for vector in own):
            by_layer = {vector.layer: vector for vector in own if vector.site == site}
            for place in _places(by_layer, layers):
                for action, forces in multipliers.items():
                    candidates += [Candidate(place, action, float(force)) for force in forces]
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
