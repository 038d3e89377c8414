"""The `steering` field of a request, and what it means."""

from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from evenkeel.errors import BadInputError
from evenkeel.params import Sinks
from evenkeel.serving.catalogue import Catalogue, Named
from evenkeel.steering.intervention import Ablate, Add, Intervention, Positions
from evenkeel.steering.rows import RowSpec
from evenkeel.steering.spec import InterventionSpec

INLINE = "inline"
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]


class Strict(BaseModel):
    """A part of a request: an unknown field is an error, not a wish that is silently unheard."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Apply(Strict):
    """Where a vector acts, in the words of EasySteer 2."""

    prompt: Literal["all"] | None = None
    """At every token of the prompt."""
    generation: Literal["all"] | None = None
    """At every generated token."""
    prompt_positions: Annotated[list[Literal[-1]], Field(max_length=1)] | None = None
    """[-1]: at the last token of the prompt, with generation "all"."""

    @property
    def positions(self) -> Positions:
        """As interventions call it.

        Raises:
            BadInputError: no intervention can act there and only there.
        """
        match self.prompt, self.generation, self.prompt_positions:
            case "all", "all", None:
                return "all"
            case "all", None, None:
                return "prompt"
            case None, "all", None:
                return "generated"
            case None, "all", [-1]:
                return "last"
        raise BadInputError(
            'steering.vectors: apply must be prompt "all", generation "all", both, or '
            'prompt_positions [-1] with generation "all"'
        )


class Vector(Strict):
    """One vector, in the words of EasySteer 2."""

    source: Annotated[str, Field(max_length=200)] | None = None
    """Name of a vector that the server holds, such as gender/caa; never a path."""
    data: Annotated[dict[int, Annotated[list[Number], Field(max_length=65536)]], Field()] | None = (
        None
    )
    """The vector itself by layer, instead of a source."""
    algorithm: Literal["direct", "erase"] = "direct"
    """direct adds scale times the vector; erase takes out scale times the projection on it."""
    scale: Number = 1.0
    layers: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=512)] | None = None
    """Blocks after which it acts, from 0; all that the source has if left out."""
    normalize: bool = False
    """At unit norm. A vector of the server is otherwise as long as the mean of the residual stream
    there, so that a scale means the same at every layer."""
    apply: Apply
    sinks: Sinks = "exclude"
    """Whether attention sinks, such as the first token, are left alone."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.source is None) == (self.data is None):
            raise ValueError("give either source or data")
        return self

    def interventions(self, catalogue: Catalogue) -> list[Intervention]:
        """What it asks for.

        Raises:
            BadInputError: the source or a layer of it is unknown, or the vector is zero.
        """
        if self.data is not None:
            found = {layer: torch.tensor(vector) for layer, vector in self.data.items()}
        else:
            assert self.source is not None
            found = {
                vector.layer: vector.direction * vector.stream_norm
                for vector in catalogue.of_source(self.source)
            }
        layers = sorted(found) if self.layers is None else self.layers
        if missing := [layer for layer in layers if layer not in found]:
            raise BadInputError(
                f"steering.vectors: no vector for layer {missing[0]}; there are those for layers "
                f"{', '.join(map(str, sorted(found)))}"
            )
        return [self._intervention(layer, found[layer]) for layer in layers]

    def _intervention(self, layer: int, vector: torch.Tensor) -> Intervention:
        positions, sinks = self.apply.positions, self.sinks
        if self.algorithm == "erase":
            return Ablate(
                vector, self.scale, layer=layer, site="resid_post", positions=positions, sinks=sinks
            )
        if self.normalize:
            if not vector.any():
                raise BadInputError("steering.vectors: a vector of zeros cannot be normalized")
            vector = torch.nn.functional.normalize(vector.double(), dim=0).float()
        return Add(
            vector, self.scale, layer=layer, site="resid_post", positions=positions, sinks=sinks
        )


class Steering(Strict):
    """What is done to one request; without it, what the server does by default."""

    name: Annotated[str, Field(max_length=64)] | None = None
    """Of an intervention that the server lists at /v1/interventions."""
    multiplier: Annotated[float, Field(allow_inf_nan=False, ge=-100, le=100)] = 1.0
    """Of the change: 0 is the unsteered model, bit for bit."""
    enabled: bool = True
    """False: the unsteered model."""
    vectors: Annotated[list[Vector], Field(min_length=1, max_length=32)] | None = None
    """A spec of the request's own, instead of a name; several at one layer act in their order."""
    conflict: Literal["sequential"] = "sequential"

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.name is not None and self.vectors is not None:
            raise ValueError("give either name or vectors")
        return self


class Meant(BaseModel):
    """What a request was answered with."""

    name: str | None
    multiplier: float
    enabled: bool
    sha256: str | None

    @property
    def header(self) -> str:
        """For X-Evenkeel-Intervention."""
        if not self.enabled or self.name is None:
            return "none"
        return f"{self.name}; multiplier={self.multiplier:g}; sha256={self.sha256}"


def meant(asked: Steering | None, catalogue: Catalogue) -> tuple[RowSpec, Meant]:
    """What is done to the rows of a request.

    Raises:
        BadInputError: it names what the server does not hold.
    """
    asked = asked or Steering()
    named: Named | None = None
    if asked.vectors is not None:
        interventions = [item for one in asked.vectors for item in one.interventions(catalogue)]
        named = Named.of(INLINE, InterventionSpec(tuple(interventions)))
    elif (name := asked.name or catalogue.default) is not None:
        named = catalogue.intervention(name)
    enabled = asked.enabled and named is not None
    row = RowSpec(named.spec if named else None, asked.multiplier, enabled)
    return row, Meant(
        name=named.name if named else None,
        multiplier=asked.multiplier,
        enabled=enabled,
        sha256=named.sha256 if named else None,
    )
