"""Low-rank representation finetuning: a learned edit of the residual stream of a frozen model."""

from dataclasses import dataclass

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
)

_ROUNDING = 1e-3


@dataclass(frozen=True, eq=False)
class Loreft(Intervention):
    """stream + multiplier * R^T (W stream + b - R stream), the rows of R orthonormal.

    Within the span of R's rows the stream becomes a learned linear function of all of it; outside
    it stays (Wu et al. 2024, "ReFT: Representation Finetuning for Language Models", equation 2).
    Gradients flow through its tensors, so that what is trained is what runs.
    """

    rotation: Float[Tensor, "rank width"]
    """R."""
    source: Float[Tensor, "rank width"]
    """W."""
    bias: Float[Tensor, " rank"]
    multiplier: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        rotation, source, bias = self.rotation, self.source, self.bias
        shape = rotation.shape
        if rotation.dim() != 2 or source.shape != shape or bias.shape != shape[:1]:
            raise BadInputError(
                f"Loreft: rotation has shape {list(rotation.shape)}, source {list(source.shape)} "
                f"and bias {list(bias.shape)}; they must be [rank, width], the same and [rank]"
            )
        check_finite("Loreft: rotation", rotation)
        check_finite("Loreft: source", source)
        check_vector("Loreft: bias", bias)
        check_widths("Loreft", rotation=rotation, source=source)
        check_number("Loreft: multiplier", self.multiplier)
        rows = rotation.detach().double()
        if (rows @ rows.mT - torch.eye(len(rows)).to(rows)).abs().max() > _ROUNDING:
            raise BadInputError("Loreft: the rows of rotation must be orthonormal; train it again")

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        computed = exact(dtype)
        read = (self.source - self.rotation).mT.to(device, computed)
        offset = self.bias.to(device, computed)
        write = (self.rotation * self.multiplier).to(device, computed)
        return in_exact(dtype, add_low_rank(read, write, offset))

    @property
    def width(self) -> int:
        return self.rotation.shape[-1]
