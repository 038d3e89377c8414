"""The types in which activations are kept on disk."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint

Dtype = Literal["float32", "float16", "bfloat16"]

STORED: dict[str, np.dtype] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype("<u2"),  # HDF5 has no bfloat16: its bit pattern
}


def to_host(
    activations: dict[HookPoint, Float[Tensor, "rows width"]], dtype: Dtype
) -> dict[HookPoint, Shaped[np.ndarray, "rows width"]]:
    """The arrays that go to disk."""
    kept = [*gathered(activations, dtype).values()]
    if dtype == "bfloat16":
        kept = [rows.view(torch.int16) for rows in kept]
    arrays = [rows.numpy().view(STORED[dtype]) for rows in kept]
    return dict(zip(activations, arrays, strict=True))


def gathered(
    activations: dict[HookPoint, Float[Tensor, "rows width"]], dtype: Dtype
) -> dict[HookPoint, Float[Tensor, "rows width"]]:
    """Activations on the CPU, converted on their device and brought over in one copy from each.

    A model that is spread over several devices has activations on all of them.
    """
    converted = {point: rows.to(getattr(torch, dtype)) for point, rows in activations.items()}
    for device in {rows.device for rows in converted.values()} - {torch.device("cpu")}:
        there = {point: rows for point, rows in converted.items() if rows.device == device}
        flat = torch.cat([rows.flatten() for rows in there.values()]).cpu()
        parts = flat.split([rows.numel() for rows in there.values()])
        for (point, rows), part in zip(there.items(), parts, strict=True):
            converted[point] = part.view(rows.shape)
    return converted


def from_stored(
    rows: Shaped[np.ndarray, "rows width"], dtype: Dtype
) -> Float[np.ndarray, "rows width"]:
    """Back to float32."""
    if dtype == "bfloat16":
        return (rows.astype(np.uint32) << 16).view(np.float32)
    return rows.astype(np.float32, copy=False)


def first_not_finite(rows: Shaped[np.ndarray, "rows width"], dtype: Dtype) -> int | None:
    """The first row that holds an infinity or NaN, None where all are finite."""
    if dtype == "bfloat16":
        bad = ((rows & 0x7F80) == 0x7F80).any(axis=1)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            # One pass without a temporary: a sum is finite unless a term is not, or it overflows.
            suspects = ~np.isfinite(np.einsum("rw->r", rows, dtype=np.float32))
        bad = suspects
        bad[suspects] = ~np.isfinite(rows[suspects]).all(axis=1)
    return int(bad.argmax()) if bad.any() else None


def refuse_not_finite(
    rows: Shaped[np.ndarray, "rows width"],
    dtype: Dtype,
    where: str,
    names: Int[np.ndarray, " rows"],
) -> None:
    """Raise unless all values are finite.

    Args:
        rows: activations as they go to disk.
        dtype: their type.
        where: the site and layer, for the message.
        names: number of the text that each row belongs to.

    Raises:
        BadInputError: an infinity or NaN, or a value too large for float16.
    """
    row = first_not_finite(rows, dtype)
    if row is None:
        return
    if dtype == "float16" and not np.isnan(rows[row]).any():
        raise BadInputError(
            f"{where}, text {names[row]} (from 0): a value passes 65504, the largest float16; "
            "store as bfloat16 or float32"
        )
    raise BadInputError(
        f"{where}, text {names[row]} (from 0): the model computes infinity or NaN; "
        "check its weights and the type that it computes in"
    )
