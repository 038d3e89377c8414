"""Rows of an activation store in random order, for training."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from evenkeel.activations.store import ActivationStore
from evenkeel.models.sites import HookPoint

_CHUNK_ROWS = 4096
_BUFFER_BYTES = 256 << 20


def shuffled_batches(
    store: ActivationStore,
    place: HookPoint,
    keep: Bool[np.ndarray, " rows"],
    batch_rows: int,
    seed: int,
    buffer_bytes: int = _BUFFER_BYTES,
) -> Iterator[Float[Tensor, "batch d_model"]]:
    """Batches of rows without end, each kept row once an epoch.

    Runs of neighbouring rows are read in random order into a buffer and shuffled there, so that
    memory stays bounded; where all rows fit into the buffer the order is uniformly random.

    Args:
        store: activations of every token.
        place: which of its arrays.
        keep: rows to use; at least `batch_rows` of them.
        batch_rows: rows in a batch; what is left of an epoch is shuffled into the next.
        seed: of the order.
        buffer_bytes: size of the buffer.
    """
    assert keep.sum() >= batch_rows
    rng = np.random.default_rng(seed)
    width = store.d_model(place.site)
    per_fill = max(1, buffer_bytes // (_CHUNK_ROWS * width * 4))
    left = np.empty((0, width), dtype=np.float32)
    while True:
        starts = rng.permutation(np.arange(0, store.rows, _CHUNK_ROWS))
        for begin in range(0, len(starts), per_fill):
            parts = [left]
            for start in starts[begin : begin + per_fill]:
                rows = store.read(place.site, place.layer, start, start + _CHUNK_ROWS)
                parts.append(rows[keep[start : start + len(rows)]])
            buffer = torch.from_numpy(np.concatenate(parts))
            order = torch.from_numpy(rng.permutation(len(buffer)))
            whole = len(buffer) // batch_rows * batch_rows
            for batch in order[:whole].split(batch_rows):
                yield buffer[batch]
            left = buffer[order[whole:]].numpy()
