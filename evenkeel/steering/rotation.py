"""Angular steering: turn the residual stream, and keep its norm."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.steering.intervention import Edit, Intervention, in_exact
from evenkeel.steering.subspace import check_number, exact, orthonormal_basis


@dataclass(frozen=True, eq=False)
class Rotate(Intervention):
    """The stream turned away from the span of the directions, in the plane of itself and its
    projection on it (Vu and Nguyen 2025, "Angular Steering: Behavior Control via Rotation in
    Activation Space").

    With p the projection, q the rest and a = atan2(|p|, |q|), the angle becomes (1 - multiplier) a
    and the norm stays: 1 leaves no projection, 2 mirrors it. A stream that lies within the span has
    no plane, and stays.
    """

    directions: Float[Tensor, "*count width"]
    """One direction or several; neither unit norm nor right angles are needed."""
    multiplier: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._basis  # whether there is one
        check_number("Rotate: multiplier", self.multiplier)

    @cached_property
    def _basis(self) -> Float[Tensor, "rank width"]:
        return orthonormal_basis("Rotate: directions", self.directions)

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        basis = self._basis.to(device, exact(dtype))
        least = torch.finfo(exact(dtype)).eps

        def edit(stream: Tensor) -> Tensor:
            inside = (stream @ basis.mT) @ basis
            outside = stream - inside
            sides = [part.norm(dim=-1, keepdim=True) for part in (inside, outside)]
            norm = torch.hypot(*sides)
            angle = (1 - self.multiplier) * torch.atan2(*sides)
            # A part of no length has no direction; the bound only keeps 0 / 0 away.
            units = [
                part / side.clamp_min(torch.finfo(side.dtype).tiny)
                for part, side in zip((inside, outside), sides, strict=True)
            ]
            turned = norm * (angle.sin() * units[0] + angle.cos() * units[1])
            return torch.where(sides[1] > least * norm, turned, stream)

        return in_exact(dtype, edit)

    @property
    def width(self) -> int:
        return self.directions.shape[-1]
