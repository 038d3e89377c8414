import errno
import os
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.activations import content, shard_job, shard_writing
from evenkeel.activations.store import ActivationStore
from evenkeel.activations.writer import write_store
from evenkeel.errors import BadInputError
from evenkeel.lock import writing_alone
from evenkeel.models.architecture import architecture_of
from evenkeel.models.loading import LoadedModel
from tests.activations.conftest import ROWS, capture_params


def bytes_of(path: Path) -> dict[str, bytes]:
    files = path.rglob("*") if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files}


def test_written_beside_the_model_or_between_its_batches(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for spare in (True, False):
        path = tmp_path / str(spare) / "a.h5"
        monkeypatch.setattr(shard_writing, "_has_spare_core", lambda _device, spare=spare: spare)
        write_store(path, loaded, ROWS, capture_params(batch_tokens=64))
        written.append(path.read_bytes())

    assert written[0] == written[1]


@pytest.mark.parametrize("shard_bytes", [2**32, 20_000])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_same_bytes_again(
    loaded: LoadedModel, tmp_path: Path, dtype: str, shard_bytes: int
) -> None:
    path = tmp_path / "a.h5"
    params = capture_params(dtype=dtype)
    first = write_store(path, loaded, ROWS, params, shard_bytes)
    before = bytes_of(path)

    assert write_store(path, loaded, ROWS, params, shard_bytes) == first

    assert bytes_of(path) == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]
    assert first.shards == sum(".h5" in name or path.is_file() for name in before)
    assert first.bytes == sum(len(data) for name, data in before.items() if ".h5" in name)


def test_a_file_takes_a_folders_place_and_the_reverse(loaded: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for shard_bytes in (2**32, 20_000, 2**32):
        write_store(path, loaded, ROWS, capture_params(), shard_bytes)
        assert path.is_dir() == (shard_bytes == 20_000)
        with ActivationStore.open(path) as store:
            assert len(store.texts) == len(ROWS)


def test_memory_does_not_grow_with_the_number_of_texts(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_ENCODED_TOGETHER", 50)
    monkeypatch.setattr(content, "SHARD_TEXTS", 50)
    params = capture_params(positions="last", batch_tokens=2048)
    peaks = []
    for count in (100, 200, 800):  # the first warms up
        rows = ({"text": f"Hello {n}", "note": f"{n}" * 5000} for n in range(count))
        tracemalloc.start()
        summary = write_store(tmp_path / "a.h5", loaded, rows, params)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert summary.shards == count // 50

    _, few, many = peaks
    assert few > 50 * 10_000, "the notes of a shard"
    assert many < 1.5 * few


def test_a_stream_of_unknown_length_and_a_limit(loaded: LoadedModel, tmp_path: Path) -> None:
    taken = []

    def endless() -> Iterator[dict[str, Any]]:
        while True:
            taken.append(1)
            yield {"text": "Hello"}

    params = capture_params(max_texts=2500, positions="last", batch_tokens=4096)
    summary = write_store(tmp_path / "a.h5", loaded, endless(), params)

    assert (summary.texts, summary.rows) == (2500, 2500)
    assert len(taken) == 2500


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite(loaded: LoadedModel, tmp_path: Path, bad: float) -> None:
    architecture_of(loaded.model)  # which refuses such weights in a model that it does not know
    with torch.no_grad():
        loaded.model.transformer.h[1].mlp.c_proj.bias[3] = bad

    with pytest.raises(BadInputError, match=r"resid_post of layer 1, text \d .* infinity or NaN"):
        write_store(tmp_path / "a.h5", loaded, ROWS, capture_params(positions="last"))

    assert not list(tmp_path.iterdir())


def test_values_too_large_for_float16(loaded: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_store(path, loaded, ROWS, capture_params(dtype="float16"))
    before = path.read_bytes()
    with torch.no_grad():
        loaded.model.transformer.h[2].mlp.c_proj.bias[3] = 1e5

    with pytest.raises(BadInputError, match=r"layer 2, text \d .* passes 65504"):
        write_store(path, loaded, ROWS, capture_params(dtype="float16"))

    assert path.read_bytes() == before
    write_store(path, loaded, ROWS, capture_params(dtype="bfloat16"))


def test_bad_input_is_refused_before_anything_is_written(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    cases = [
        ([], capture_params(), "no texts to cache"),
        (ROWS, capture_params(layers=[0, 5]), "layer 5 does not exist"),
        ([{"text": ""}], capture_params(), "is empty"),
        ([{"text": "a"}, {"text": "b", "x": 1}], capture_params(), "the fields"),
    ]
    for rows, params, message in cases:
        with pytest.raises(BadInputError, match=message):
            write_store(tmp_path / "a.h5", loaded, rows, params)
        assert not list(tmp_path.iterdir())


def test_two_writers(loaded: LoadedModel, tmp_path: Path) -> None:
    with (
        writing_alone(tmp_path / "a.h5"),
        pytest.raises(BadInputError, match="another process is writing it"),
    ):
        write_store(tmp_path / "a.h5", loaded, ROWS, capture_params())


def test_what_does_not_fit_is_refused_before_anything_is_computed(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    monkeypatch.setattr(shard_job, "write_shard", None)
    rows = ROWS * 40  # 40 x 101 tokens x 3 layers x (128 + 4) bytes

    with pytest.raises(BadInputError, match=r"a.h5 needs about 1.4 MiB more, .* has 97.7 KiB free"):
        write_store(tmp_path / "a.h5", loaded, rows, capture_params(), shard_bytes=50_000)


def test_a_disk_that_fills_up_on_the_way(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.h5"
    write_store(tmp_path / "b.h5", loaded, ROWS, capture_params(), 20_000)
    calls = []

    def fails_the_third_time(descriptor: int, offset: int, size: int) -> None:
        calls.append(size)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", fails_the_third_time)
        with pytest.raises(BadInputError, match=r"the disk is full: .*a.h5 could not be finished"):
            write_store(path, loaded, ROWS, capture_params(), 20_000)
    assert not path.exists()

    runs = count_forward_passes(loaded)
    write_store(path, loaded, ROWS, capture_params(), 20_000)

    assert bytes_of(path) == bytes_of(tmp_path / "b.h5")
    assert len(runs) < len(bytes_of(path))  # two shards were there


def count_forward_passes(loaded: LoadedModel) -> list[int]:
    runs: list[int] = []
    loaded.model.transformer.h[0].register_forward_pre_hook(lambda *_: runs.append(1))
    return runs


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_batches_that_an_earlier_run_wrote_are_not_computed_again(
    loaded: LoadedModel, tmp_path: Path, batches: int
) -> None:
    params = capture_params(batch_tokens=16)
    write_store(tmp_path / "whole.h5", loaded, ROWS, params)
    path = tmp_path / "a.h5"
    runs = count_forward_passes(loaded)

    def fail(*_: Any) -> None:
        if len(runs) > batches + 1:  # the first is the one that measures widths
            raise RuntimeError("stopped")

    handle = loaded.model.transformer.h[1].register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="stopped"):
        write_store(path, loaded, ROWS, params)
    handle.remove()
    runs.clear()
    write_store(path, loaded, ROWS, params)

    assert len(runs) == 1 + len(ROWS) - batches
    assert path.read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_damage_in_what_an_earlier_run_left_is_computed_again(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    path, work = tmp_path / "a.h5", tmp_path / ".a.h5.part"
    write_store(path, loaded, ROWS, capture_params())
    whole = path.read_bytes()
    work.mkdir()
    generator = np.random.default_rng(0)
    for _ in range(20):
        damaged = bytearray(whole)
        damaged[-generator.integers(1, 20_000)] ^= 1 << generator.integers(8)
        (work / "00000.part").write_bytes(damaged)
        path.unlink()

        write_store(path, loaded, ROWS, capture_params())

        assert path.read_bytes() == whole
        work.mkdir()


def test_what_an_earlier_run_left_of_other_texts_is_not_used(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    path, work = tmp_path / "a.h5", tmp_path / ".a.h5.part"
    write_store(path, loaded, ROWS, capture_params())
    whole = path.read_bytes()
    for name in ("00000.part", "00000.h5", "00001.h5"):
        work.mkdir()
        write_store(tmp_path / "other.h5", loaded, ROWS[::-1], capture_params())
        (tmp_path / "other.h5").replace(work / name)

        write_store(path, loaded, ROWS, capture_params())

        assert path.read_bytes() == whole
        assert not work.exists()
