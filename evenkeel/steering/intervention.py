"""Interventions: what is done to the stream, as pure functions of it.

Each is a frozen value that says what, where (layer and site) and when (positions and gates). The
backends of this room bring it into a forward pass; called by itself it is the reference that they
are tested against.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from evenkeel.activations.sinks import first_tokens
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.params import Sinks, Site
from evenkeel.steering.gates import Gate
from evenkeel.steering.subspace import check_number, check_vector, exact, orthonormal_basis

Positions = Literal["all", "prompt", "generated", "last", "mask"]
"""Which positions of the text an intervention may act at:

all        every one
prompt     those handed to `generate`, or to a forward pass without a cache
generated  those that `generate` adds, or that a forward pass adds to a cache
last       those that a next token is predicted from: the last real one of the prompt, and generated
mask       those of a mask over the prompt that is given with the model's input
"""

SINKS_HINT = "; sinks='include' (--include-sinks) has it act at a text's first token, too"
"""For messages about what can only act everywhere."""
Edit = Callable[[Tensor], Tensor]
"""Stream to edited stream, both [batch, position, width]; out of place."""


def in_exact(dtype: torch.dtype, edit: Edit) -> Edit:
    """An edit of a stream of type `dtype` that is computed in `exact(dtype)` and rounded once.

    In bfloat16 a projection of 30 is known to 0.125.
    """
    computed = exact(dtype)
    return edit if computed == dtype else lambda stream: edit(stream.to(computed)).to(dtype)


def without_autocast(edit: Edit, stream: Tensor) -> Tensor:
    """The edited stream; autocast would round every matrix product of the edit."""
    with torch.autocast(stream.device.type, enabled=False):
        return edit(stream)


def add_low_rank(
    read: Float[Tensor, "width rank"],
    write: Float[Tensor, "rank width"],
    offset: Float[Tensor, " rank"] | None = None,
) -> Edit:
    """stream + (stream @ read + offset) @ write, in two operations."""

    def edit(stream: Tensor) -> Tensor:
        rows = stream.reshape(-1, stream.shape[-1])
        found = rows @ read if offset is None else torch.addmm(offset, rows, read)
        return torch.addmm(rows, found, write).view(stream.shape)

    def edit_along_one(stream: Tensor) -> Tensor:
        return torch.addcmul(stream, stream @ read, write)

    # Half of what `edit` takes in a decoding step of a small model, where every call counts.
    return edit_along_one if offset is None and len(write) == 1 else edit


@dataclass(frozen=True, eq=False, kw_only=True)
class Intervention(ABC):
    """What is done to the stream, where, and when."""

    layer: int
    """Index of the block, from 0."""
    site: Site
    """Place in the block."""
    positions: Positions = "all"
    gates: tuple[Gate, ...] = ()
    """The intervention acts where every one of them is open."""
    sinks: Sinks = "exclude"
    """Whether it leaves attention sinks alone, as `activations.sinks` tells them."""

    def __post_init__(self) -> None:
        if self.positions not in get_args(Positions):
            raise BadInputError(
                f"positions {self.positions!r} is unknown; known: {', '.join(get_args(Positions))}"
            )

    @abstractmethod
    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        """The edit of every position of a stream of that type, constants moved to where it lives.

        It computes in float32 at least and rounds once, to `dtype`, where autocast is off.
        """

    @property
    def point(self) -> HookPoint:
        return HookPoint(self.site, self.layer)

    @property
    @abstractmethod
    def width(self) -> int:
        """Width of the stream that the intervention fits."""

    @property
    def first_position(self) -> int:
        """Tokens at a text's start, padding not counted, that it leaves alone."""
        return first_tokens(self.sinks)

    @property
    def everywhere(self) -> bool:
        """Whether it acts at every position, whatever stands there."""
        return self.positions == "all" and not self.first_position and not self.gates

    def __call__(
        self,
        stream: Float[Tensor, "batch position width"],
        keep: Bool[Tensor, "batch position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """The edited stream; where `keep` is False the stream itself, bit for bit.

        Positions and gates are not looked at: whoever calls says through `keep` what they allow.
        """
        edited = without_autocast(self.on(stream.device, stream.dtype), stream)
        return edited if keep is None else torch.where(keep.unsqueeze(-1), edited, stream)


@dataclass(frozen=True, eq=False)
class Add(Intervention):
    """stream + scale * direction (Turner et al. 2023, "Activation addition").

    Gradients flow through the direction.
    """

    direction: Float[Tensor, " width"]
    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_vector("Add: direction", self.direction)
        check_number("Add: scale", self.scale)

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        offset = (self.direction.double() * self.scale).to(device, exact(dtype))
        return in_exact(dtype, lambda stream: stream + offset)

    @property
    def width(self) -> int:
        return len(self.direction)


@dataclass(frozen=True, eq=False)
class Ablate(Intervention):
    """stream - multiplier * (its projection on the span of the directions).

    A multiplier of 1 removes the projection, 0.5 halves it, 2 mirrors it.
    """

    directions: Float[Tensor, "*count width"]
    """One direction or several; neither unit norm nor right angles are needed."""
    multiplier: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._basis  # whether there is one
        check_number("Ablate: multiplier", self.multiplier)

    @cached_property
    def _basis(self) -> Float[Tensor, "rank width"]:
        return orthonormal_basis("Ablate: directions", self.directions)

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        read = self._basis.mT.to(device, exact(dtype))
        write = (self._basis * -self.multiplier).to(device, exact(dtype))
        return in_exact(dtype, add_low_rank(read, write))

    @property
    def width(self) -> int:
        return self.directions.shape[-1]
