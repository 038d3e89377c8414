"""Interventions that put something neutral where a concept was."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.steering.intervention import Edit, Intervention, add_low_rank, in_exact
from evenkeel.steering.subspace import (
    check_finite,
    check_number,
    check_vector,
    check_widths,
    exact,
    orthonormal_basis,
)


@dataclass(frozen=True, eq=False)
class MeanAblate(Intervention):
    """The component along the directions replaced by that of a mean: stream - P (stream - mean)."""

    directions: Float[Tensor, "*count width"]
    mean: Float[Tensor, " width"]
    """Mean of the stream at this layer and site over some reference texts."""
    multiplier: float = 1.0
    """Share of the way to the mean."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._basis  # whether there is one
        check_vector("MeanAblate: mean", self.mean)
        check_number("MeanAblate: multiplier", self.multiplier)
        check_widths("MeanAblate", directions=self.directions, mean=self.mean)

    @cached_property
    def _basis(self) -> Float[Tensor, "rank width"]:
        return orthonormal_basis("MeanAblate: directions", self.directions)

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        computed = exact(dtype)
        target = (self._basis @ self.mean.detach().to(self._basis)).to(device, computed)
        read = self._basis.mT.to(device, computed)
        write = (self._basis * -self.multiplier).to(device, computed)
        return in_exact(dtype, add_low_rank(read, write, -target))

    @property
    def width(self) -> int:
        return len(self.mean)


@dataclass(frozen=True, eq=False)
class Erase(Intervention):
    """stream - multiplier * proj_left @ proj_right @ (stream - bias): a projection around a point.

    Of LEACE (Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form", theorem
    4.3) an oblique one, after which no linear probe reads the concept that it was fitted to.
    """

    proj_left: Float[Tensor, "width rank"]
    proj_right: Float[Tensor, "rank width"]
    bias: Float[Tensor, " width"]
    multiplier: float = 1.0
    """Share of the erasure."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Erase: multiplier", self.multiplier)
        left, right = self.proj_left, self.proj_right
        if left.dim() != 2 or left.shape != right.mT.shape:
            raise BadInputError(
                f"Erase: proj_left has shape {list(left.shape)} and proj_right "
                f"{list(right.shape)}; they must be [width, rank] and [rank, width]"
            )
        check_finite("Erase: proj_left", left)
        check_finite("Erase: proj_right", right)
        check_vector("Erase: bias", self.bias)
        check_widths("Erase", proj_right=right, bias=self.bias)

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        computed = exact(dtype)
        right = self.proj_right.detach().double().mT
        write = (-self.multiplier * self.proj_left.detach().double().mT).to(device, computed)
        read = right.to(device, computed)
        at_bias = (self.bias.detach().double() @ right).to(device, computed)
        return in_exact(dtype, add_low_rank(read, write, -at_bias))

    @property
    def width(self) -> int:
        return len(self.bias)
