import json
from itertools import chain
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from evenkeel.activations.capture import capture_texts
from evenkeel.activations.store import ActivationStore
from evenkeel.activations.writer import write_store
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from tests.activations.conftest import ROWS, capture_params


@pytest.mark.parametrize("positions", ["all", "last", "mean"])
@pytest.mark.parametrize("shard_bytes", [2**32, 20_000])
def test_what_was_captured_is_read(
    loaded: LoadedModel, tmp_path: Path, positions: Any, shard_bytes: int
) -> None:
    sites = ["resid_pre", "head_z"]
    params = capture_params(sites=sites, layers=[2, 0], positions=positions)
    write_store(tmp_path / "a.h5", loaded, ROWS, params, shard_bytes)

    with ActivationStore.open(tmp_path / "a.h5") as store:
        texts = [row["text"] for row in ROWS]
        expected = capture_texts(loaded, texts, sites, [0, 2], positions)
        for point, rows in expected.items():
            np.testing.assert_allclose(store.read(point.site, point.layer), rows, atol=1e-5)
        ids = loaded.tokenizer(texts)["input_ids"]
        assert store.input_ids.tolist() == list(chain.from_iterable(ids))
        assert np.diff(store.offsets).tolist() == list(map(len, ids))
        assert (store.sites, store.layers("head_z"), store.positions) == (
            ("resid_pre", "head_z"),
            (0, 2),
            positions,
        )
        assert store.d_model("head_z") == 32


def test_a_part_of_the_rows(loaded: LoadedModel, tmp_path: Path) -> None:
    write_store(tmp_path / "a.h5", loaded, ROWS, capture_params(), shard_bytes=20_000)

    with ActivationStore.open(tmp_path / "a.h5") as store:
        assert len(store.shards) > 2
        whole = store.read("resid_post", 1)
        for start, stop in [(0, 5), (3, 60), (40, store.rows), (7, 7)]:
            np.testing.assert_array_equal(
                store.read("resid_post", 1, start, stop), whole[start:stop]
            )


def test_megabytes_of_text(loaded: LoadedModel, tmp_path: Path) -> None:
    rows = [{**row, "note": f"{number}" * 1_000_000} for number, row in enumerate(ROWS)]
    write_store(tmp_path / "a.h5", loaded, rows, capture_params())

    with ActivationStore.open(tmp_path / "a.h5") as store:
        assert store.texts["note"].tolist() == [row["note"] for row in rows]


def test_texts_keep_their_fields(store: ActivationStore) -> None:
    frame = store.texts

    assert frame["text"].tolist() == [row["text"] for row in ROWS]
    assert frame["terms"].unique().tolist() == ["nurse|tired"]
    assert frame["n"].tolist() == list(range(6))
    assert store.model == {"name": "tiny", "revision": "r1", "fingerprint": "f" * 64}


@pytest.mark.parametrize("compute_dtype", ["bfloat16", "float16"])
def test_products_of_fewer_bits(
    loaded: LoadedModel, store: ActivationStore, tmp_path: Path, compute_dtype: str
) -> None:
    weights = {name: tensor.clone() for name, tensor in loaded.model.state_dict().items()}
    rounded = {}
    for positions in ("all", "mean"):
        params = capture_params(compute_dtype=compute_dtype, positions=positions)
        write_store(tmp_path / "a.h5", loaded, ROWS, params)
        with ActivationStore.open(tmp_path / "a.h5") as ours:
            assert (ours.header.compute_dtype, ours.header.dtype) == (compute_dtype, "float32")
            rounded[positions] = ours.read("resid_post", 2)

    exact = store.read("resid_post", 2)
    assert store.header.compute_dtype == "float32"
    error = np.linalg.norm(rounded["all"] - exact) / np.linalg.norm(exact)
    assert 0 < error < 0.02
    texts = np.split(rounded["all"], store.offsets[1:-1])  # what is kept of them is not rounded
    np.testing.assert_allclose(
        rounded["mean"], [text[1:].mean(axis=0) for text in texts], atol=1e-5
    )
    for name, now in loaded.model.state_dict().items():
        assert torch.equal(weights[name], now)


def test_plain_h5py_reads_it_too(store_path: Path, store: ActivationStore) -> None:
    with h5py.File(store_path) as file:
        assert file["resid_post/1"].chunks is not None
        np.testing.assert_array_equal(file["resid_post/1"][:], store.read("resid_post", 1))
        ends = file["ends/label"]
        assert file["texts/label"][ends[0] : ends[1]].tobytes() == b"neutral"
        assert file.attrs["positions"] == b"all"


def test_sites_and_layers_that_were_not_kept(store: ActivationStore) -> None:
    with pytest.raises(BadInputError, match="no site 'head_z'; it has resid_post"):
        store.read("head_z", 0)
    with pytest.raises(BadInputError, match=r"no layer 7 of resid_post; it has \[0, 1, 2\]"):
        store.read("resid_post", 7)


def test_another_model_is_refused(store: ActivationStore) -> None:
    store.require_model("f" * 64)
    with pytest.raises(BadInputError, match=r"of tiny .ffffffffffff., but .* is aaaaaaaaaaaa"):
        store.require_model("a" * 64)


def read_everything(path: Path) -> list[Any]:
    with ActivationStore.open(path) as store:
        points = [(site, layer) for site in store.sites for layer in store.layers(site)]
        arrays = [store.read(site, layer) for site, layer in points]
        return [
            store.header,
            store.texts.to_dict("list"),
            store.offsets.tolist(),
            store.input_ids.tolist(),
            *(array.tobytes() for array in arrays),
        ]


def test_a_flipped_bit_is_refused_or_without_effect(store_path: Path) -> None:
    """In the activations always refused; elsewhere some bytes mean nothing."""
    whole = store_path.read_bytes()
    expected = read_everything(store_path)
    with h5py.File(store_path) as file:
        place = file["resid_post/2"].id.get_chunk_info(0)
    generator = np.random.default_rng(0)
    inside = [place.byte_offset + generator.integers(place.size) for _ in range(20)]
    refused = 0
    for at in inside + [generator.integers(len(whole)) for _ in range(200)]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << generator.integers(8)
        store_path.write_bytes(damaged)
        try:
            assert read_everything(store_path) == expected
            assert at not in inside
        except BadInputError:
            refused += 1
    assert refused > 150


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_short(store_path: Path, share: float) -> None:
    whole = store_path.read_bytes()
    store_path.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(BadInputError, match=r"texts.h5: cut short, damaged or no HDF5 file"):
        ActivationStore.open(store_path)


def test_a_file_that_another_program_rewrote(store_path: Path) -> None:
    with h5py.File(store_path, "r+") as file:
        rows = file["resid_post/1"][:]
        del file["resid_post/1"]
        options = {"chunks": (2, rows.shape[1]), "compression": "gzip"}
        file["resid_post"].create_dataset("1", data=rows, **options)

    with pytest.raises(BadInputError, match="'resid_post/1' is not the plain numbers"):
        ActivationStore.open(store_path)


def test_files_that_are_no_stores(store_path: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"none.h5: no such file; run cache_activations"):
        ActivationStore.open(tmp_path / "none.h5")

    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w") as file:
        file["x"] = 1
    with pytest.raises(BadInputError, match="an HDF5 file, but not an activation store"):
        ActivationStore.open(foreign)

    with h5py.File(store_path, "r+") as file:
        file.attrs["schema"] = 99
    with pytest.raises(BadInputError, match="of schema 99, but this version reads schema 4"):
        ActivationStore.open(store_path)


def test_folders_that_are_no_stores(loaded: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_store(path, loaded, ROWS, capture_params(), shard_bytes=20_000)
    shard = path / "00001.h5"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    with pytest.raises(BadInputError, match=r"00001.h5: missing or cut short"):
        ActivationStore.open(path)
    shard.unlink()
    with pytest.raises(BadInputError, match=r"00001.h5: missing or cut short"):
        ActivationStore.open(path)
    shard.write_bytes(data)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["shards"][1]["identity"] = "0" * 64
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BadInputError, match=r"00001.h5: not the shard that the manifest lists"):
        ActivationStore.open(path)
    (path / "manifest.json").write_text("{}")
    with pytest.raises(BadInputError, match=r"manifest\.json: shards: Field required"):
        ActivationStore.open(path)
    (path / "manifest.json").unlink()
    with pytest.raises(BadInputError, match=r"manifest.json: no such file"):
        ActivationStore.open(path)
