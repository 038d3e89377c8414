"""Interventions: what is done to the stream, as pure functions of it.

Each is a frozen value that says what, where (layer and site) and when (positions and gates). The
backends of this room bring it into a forward pass; called by itself it is the reference that they
are tested against.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.params import Site
from evenkeel.steering.gates import Gate
from evenkeel.steering.subspace import check_finite, check_vector, orthonormal_basis

Positions = Literal["all", "prompt", "generated", "last", "mask"]
"""Which positions of the text an intervention may act at:

all        every one
prompt     those handed to `generate`, or to a forward pass without a cache
generated  those that `generate` adds, or that a forward pass adds to a cache
last       those that a next token is predicted from: the last real one of the prompt, and generated
mask       those of a mask over the prompt that is given with the model's input
"""

Edit = Callable[[Tensor], Tensor]
"""Stream to edited stream, both [batch, position, width]; out of place."""


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

    @abstractmethod
    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        """The edit of every position, its constants computed and moved to where the stream lives.

        Constants are computed in float64 and rounded once, to `dtype`.
        """

    @property
    @abstractmethod
    def width(self) -> int:
        """Width of the stream that the intervention fits."""

    def __call__(
        self,
        stream: Float[Tensor, "batch position width"],
        keep: Bool[Tensor, "batch position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """The edited stream; where `keep` is False the stream itself, bit for bit.

        Positions and gates are not looked at: whoever calls says through `keep` what they allow.
        """
        edited = self.on(stream.device, stream.dtype)(stream)
        return edited if keep is None else torch.where(keep.unsqueeze(-1), edited, stream)


@dataclass(frozen=True, eq=False)
class Add(Intervention):
    """stream + scale * direction (Turner et al. 2023, "Activation addition")."""

    direction: Float[Tensor, " width"]
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_vector("Add: direction", self.direction)

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        offset = (self.direction.detach().double() * self.scale).to(device, dtype)
        return lambda stream: stream + offset

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
        orthonormal_basis("Ablate: directions", self.directions)

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        basis = orthonormal_basis("Ablate: directions", self.directions)
        read = basis.mT.to(device, dtype)
        write = (basis * self.multiplier).to(device, dtype)
        return lambda stream: stream - (stream @ read) @ write

    @property
    def width(self) -> int:
        return self.directions.shape[-1]


@dataclass(frozen=True, eq=False)
class MeanAblate(Intervention):
    """The component along the directions replaced by that of a mean: stream - P (stream - mean)."""

    directions: Float[Tensor, "*count width"]
    mean: Float[Tensor, " width"]
    """Mean of the stream at this layer and site over some reference texts."""
    multiplier: float = 1.0
    """Share of the way to the mean."""

    def __post_init__(self) -> None:
        orthonormal_basis("MeanAblate: directions", self.directions)
        check_vector("MeanAblate: mean", self.mean)
        _check_widths("MeanAblate", directions=self.directions, mean=self.mean)

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        basis = orthonormal_basis("MeanAblate: directions", self.directions)
        target = (basis @ self.mean.detach().to(basis)).to(device, dtype)
        read = basis.mT.to(device, dtype)
        write = (basis * self.multiplier).to(device, dtype)
        return lambda stream: stream - (stream @ read - target) @ write

    @property
    def width(self) -> int:
        return len(self.mean)


@dataclass(frozen=True, eq=False)
class Erase(Intervention):
    """stream - proj_left @ proj_right @ (stream - bias): least-squares concept erasure.

    Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form", theorem 4.3. After
    it no linear probe reads the concept that the eraser was fitted to.
    """

    proj_left: Float[Tensor, "width rank"]
    proj_right: Float[Tensor, "rank width"]
    bias: Float[Tensor, " width"]

    def __post_init__(self) -> None:
        left, right = self.proj_left, self.proj_right
        if left.dim() != 2 or left.shape != right.mT.shape:
            raise BadInputError(
                f"Erase: proj_left has shape {list(left.shape)} and proj_right "
                f"{list(right.shape)}; they must be [width, rank] and [rank, width]"
            )
        check_finite("Erase: proj_left", left)
        check_finite("Erase: proj_right", right)
        check_vector("Erase: bias", self.bias)
        _check_widths("Erase", proj_right=right, bias=self.bias)

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        write = self.proj_left.detach().mT.to(device, dtype)
        read = self.proj_right.detach().mT.to(device, dtype)
        bias = self.bias.detach().to(device, dtype)
        return lambda stream: stream - ((stream - bias) @ read) @ write

    @property
    def width(self) -> int:
        return len(self.bias)


def _check_widths(name: str, **tensors: Tensor) -> None:
    widths = {key: tensor.shape[-1] for key, tensor in tensors.items()}
    if len(set(widths.values())) > 1:
        raise BadInputError(f"{name}: widths differ: {widths}; all must be the stream's")
