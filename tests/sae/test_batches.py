"""Training rows: each once an epoch, in an order that only the seed decides."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

from evenkeel.activations.store import ActivationStore
from evenkeel.sae import batches as module
from evenkeel.sae.batches import shuffled_batches

from .conftest import PLACE, WIDTH


@pytest.mark.parametrize("buffer_rows", [300, 100_000])
def test_each_kept_row_comes_once_an_epoch(
    store: ActivationStore, buffer_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_ROWS", 100)  # several chunks and buffers
    keep = np.arange(store.rows) % 3 != 0
    size = 64
    stream = shuffled_batches(store, PLACE, keep, size, 0, buffer_rows * WIDTH * 4)
    everything = store.read(PLACE.site, PLACE.layer)[keep]
    available: Counter[tuple[float, ...]] = Counter()
    drawn: Counter[tuple[float, ...]] = Counter()
    for _ in range(2):
        available += Counter(map(tuple, everything.tolist()))
        for batch in islice(stream, (available.total() - drawn.total()) // size):
            assert batch.shape == (size, WIDTH)
            drawn += Counter(map(tuple, batch.tolist()))
        assert not drawn - available
        assert (available - drawn).total() < size  # shuffled into the next epoch


def test_rows_come_shuffled(store: ActivationStore) -> None:
    keep = np.ones(store.rows, dtype=bool)
    batch = next(shuffled_batches(store, PLACE, keep, 64, 0))
    assert not torch.equal(batch, torch.from_numpy(store.read(PLACE.site, PLACE.layer)[:64]))


def test_the_seed_decides_the_order(store: ActivationStore) -> None:
    keep = np.ones(store.rows, dtype=bool)
    first, again, other = (
        next(shuffled_batches(store, PLACE, keep, 32, seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
