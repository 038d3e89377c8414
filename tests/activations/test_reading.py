import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from evenkeel.activations import reading
from evenkeel.activations.reading import blocks, shuffled_batches
from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 7 * 32 * 4)
    monkeypatch.setattr(reading, "_BLOCKS_MIXED", 3)


def test_blocks_are_all_rows_in_order(store: ActivationStore) -> None:
    read = list(blocks(store, "resid_post", 1))

    assert len(read) > 5
    np.testing.assert_array_equal(np.concatenate(read), store.read("resid_post", 1))


@pytest.mark.parametrize("batch_rows", [1, 4, 20, 33, 1000])
def test_each_row_once_in_an_order_that_the_seed_decides(
    store: ActivationStore, batch_rows: int
) -> None:
    rows = store.read("resid_post", 2)

    batches = list(shuffled_batches(store, "resid_post", 2, batch_rows, seed=1))
    again = list(shuffled_batches(store, "resid_post", 2, batch_rows, seed=1))
    other = list(shuffled_batches(store, "resid_post", 2, batch_rows, seed=2))

    assert all(len(batch) == batch_rows for batch in batches[:-1])
    mixed = np.concatenate(batches)
    np.testing.assert_array_equal(mixed, np.concatenate(again))
    assert not np.array_equal(mixed, np.concatenate(other))
    assert not np.array_equal(mixed, rows)
    np.testing.assert_array_equal(mixed[np.lexsort(mixed.T)], rows[np.lexsort(rows.T)])


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="no system call to tell the disk")
def test_the_disk_is_told_of_what_is_read_later(
    store: ActivationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, read = Counter[tuple[int, int]](), Counter[tuple[int, int]]()

    def advise(_file: int, offset: int, length: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_WILLNEED
        told[offset, length] += 1

    def preadv(file: int, buffers: list[memoryview], offset: int) -> int:
        read[offset, sum(len(buffer) for buffer in buffers)] += 1
        return actual(file, buffers, offset)

    actual = os.preadv
    monkeypatch.setattr(os, "posix_fadvise", advise)
    monkeypatch.setattr(os, "preadv", preadv)
    list(shuffled_batches(store, "resid_post", 1, 8, seed=0))

    first_two = read - told
    assert told
    assert not told - read
    assert 0 < first_two.total() <= 2 * 3 * len(store.shards)


def test_damage_is_met_while_reading_ahead(store_path: Path) -> None:
    data = bytearray(store_path.read_bytes())
    with ActivationStore.open(store_path) as store:
        row = store.read("resid_post", 1)[70].tobytes()
    data[data.index(row)] ^= 1
    store_path.write_bytes(data)

    with (
        ActivationStore.open(store_path) as store,
        pytest.raises(BadInputError, match=r"1 rows of resid_post/1 .* the first is row 70"),
    ):
        list(shuffled_batches(store, "resid_post", 1, 8, seed=0))
