"""Directions and numbers as users give them, checked; directions made orthonormal."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError


def check_vector(name: str, vector: Tensor) -> None:
    """Refuse what cannot be a direction of the stream.

    Raises:
        BadInputError: `vector` has not exactly one dimension, or holds NaN or infinity.
    """
    if vector.dim() != 1:
        raise BadInputError(
            f"{name} has shape {list(vector.shape)}; it must be one vector as wide as the stream"
        )
    check_finite(name, vector)


def check_finite(name: str, tensor: Tensor) -> None:
    """Refuse NaN and infinity.

    Raises:
        BadInputError: `tensor` holds one.
    """
    if not torch.isfinite(tensor).all():
        raise BadInputError(f"{name} holds NaN or infinity; compute it again from finite data")


def check_number(name: str, value: float) -> None:
    """Refuse NaN and infinity.

    Raises:
        BadInputError: `value` is one.
    """
    if not math.isfinite(value):
        raise BadInputError(f"{name} is {value}; it must be a finite number")


def check_widths(name: str, **tensors: Tensor) -> None:
    """Refuse tensors that are not equally wide.

    Raises:
        BadInputError: their last dimensions differ.
    """
    widths = {key: tensor.shape[-1] for key, tensor in tensors.items()}
    if len(set(widths.values())) > 1:
        raise BadInputError(f"{name}: widths differ: {widths}; all must be the stream's")


def exact(dtype: torch.dtype) -> torch.dtype:
    """The type to compute in for a stream of type `dtype`: float32, or float64 for float64."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def unit(name: str, vector: Float[Tensor, " width"]) -> Float[Tensor, " width"]:
    """`vector` at norm 1, in float64.

    Raises:
        BadInputError: it is no vector, or zero.
    """
    check_vector(name, vector)
    exact = vector.detach().double()
    if not exact.any():
        raise BadInputError(f"{name} is zero and so has no direction; give another vector")
    return torch.nn.functional.normalize(exact, dim=0, eps=0)


def orthonormal_basis(
    name: str, directions: Float[Tensor, "*count width"]
) -> Float[Tensor, "rank width"]:
    """Orthonormal rows, in float64, that span what one or several directions span.

    Raises:
        BadInputError: not one or two dimensions, not finite, zero, or linearly dependent.
    """
    if directions.dim() not in (1, 2) or not directions.numel():
        raise BadInputError(
            f"{name} has shape {list(directions.shape)}; "
            "it must be [width] or [directions, width], not empty"
        )
    rows = torch.atleast_2d(directions)
    rows = torch.stack([unit(name, row) for row in rows])
    decomposed = torch.linalg.svd(rows, full_matrices=False)
    # Rows are unit vectors that arrive in float32 at best: smaller values than this are its noise.
    rank = int((decomposed.S > 1e-5).sum())
    if rank < len(rows):
        raise BadInputError(
            f"{name}: {len(rows)} directions span only {rank} dimensions; drop those that repeat"
        )
    basis: Tensor = decomposed.Vh
    return basis
