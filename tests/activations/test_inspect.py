from pathlib import Path

import numpy as np
import pytest

from evenkeel.activations.inspect import inspect_store
from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError


def test_what_is_in_a_store(store_path: Path, store: ActivationStore) -> None:
    found = inspect_store(store_path)

    assert found.header.model == "tiny"
    assert found.header.revision == "r1"
    assert (found.shards, found.texts, found.bytes) == (1, 6, store_path.stat().st_size)
    assert found.tokens == len(store.input_ids)
    assert found.fields == ("id", "label", "n", "terms", "text")
    assert [(point.site, point.layer) for point in found.points] == [
        ("resid_post", layer) for layer in range(3)
    ]
    for point in found.points:
        rows = store.read(point.site, point.layer)
        assert (point.rows, point.width) == rows.shape
        assert point.mean_norm == pytest.approx(np.linalg.norm(rows, axis=1).mean(), rel=1e-6)
        assert point.not_finite == 0


def test_damage_is_named(store_path: Path) -> None:
    with ActivationStore.open(store_path) as store:
        row = store.read("resid_post", 2)[3].tobytes()
    data = bytearray(store_path.read_bytes())
    data[data.index(row) + 5] ^= 16
    store_path.write_bytes(data)

    with pytest.raises(BadInputError, match=r"1 rows of resid_post/2 do not match .* is row 3"):
        inspect_store(store_path)
