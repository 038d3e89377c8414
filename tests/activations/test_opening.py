"""A store that is not what it says, or not all in its file, is refused by name."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from evenkeel.activations.columns import digest_of
from evenkeel.activations.manifest import read_manifest
from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError


def _external_link(file: h5py.File) -> None:
    del file["checksums"]
    file["checksums"] = h5py.ExternalLink("/etc/hostname", "/x")


def _soft_link(file: h5py.File) -> None:
    file["other"] = file["tokens/input_ids"][:]
    del file["tokens/input_ids"]
    file["tokens/input_ids"] = h5py.SoftLink("/other")


def _external_storage(file: h5py.File) -> None:
    shape = file["checksums"].shape
    del file["checksums"]
    size = int(np.prod(shape)) * 4
    file.create_dataset("checksums", shape, "<u4", external=[("/etc/passwd", 0, size)])


def _virtual(file: h5py.File) -> None:
    shape = file["checksums"].shape
    del file["checksums"]
    layout = h5py.VirtualLayout(shape, "<u4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", shape)  # noqa: S108
    file.create_virtual_dataset("checksums", layout)


def _a_group(file: h5py.File) -> None:
    del file["checksums"]
    file.create_group("checksums")


def _with(name: str, data: object, **options: object) -> Callable[[h5py.File], None]:
    """Another array in the place of one, with the checksum that belongs to it."""

    def change(file: h5py.File) -> None:
        del file[name]
        dataset = file.create_dataset(name, data=data, **options)
        if dataset.dtype.kind in "iu":
            dataset.attrs["sha256"] = np.bytes_(digest_of(dataset[:]).encode())

    return change


def _bomb(file: h5py.File) -> None:
    del file["tokens/input_ids"]
    file.create_dataset("tokens/input_ids", (1 << 40,), "<i4", chunks=(1 << 20,))


def _attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file.attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_external_link, "'checksums' is a link, not an array in this file"),
        (_soft_link, "'tokens/input_ids' is a link"),
        (_external_storage, "'checksums' is kept in another file"),
        (_virtual, "'checksums' is kept in another file"),
        (_a_group, "'checksums' is no array"),
        (_with("tokens/input_ids", [1, -2]), "its token ids are not numbers from 0"),
        (_with("texts/offsets", [0, 3, 9, 2]), "its texts do not divide its tokens"),
        (_with("texts/label", ["a", "b"]), "'texts/label' is not the plain numbers"),
        (_with("texts/n", [1] * 99, compression="gzip"), "'texts/n' is not the plain numbers"),
        (_with("texts/n", [1, 2]), "cut short, damaged or no HDF5 file"),
        (_with("ends/label", [2, 1]), "the ends of strings do not divide their bytes"),
        (_bomb, "'tokens/input_ids' is not the plain numbers"),
        (_attribute("format", "evenkeel activations"), "not an activation store of ours"),
        (_attribute("strings", np.bytes_(b'["n", "no"]')), "no array 'ends/n'"),
        (_attribute("points", np.bytes_(b"3")), "its attributes are not those of a store"),
        (_attribute("points", np.bytes_(b'[["x", 0, 1]]')), "site 'x' does not exist"),
        (_attribute("points", np.bytes_(b'[["resid_post", -1, 8]]')), "attributes are not those"),
        (_attribute("points", 3.5), "its attributes are not those of a store"),
        (_attribute("fields", np.bytes_(b"{}")), "its attributes are not those of a store"),
        (_attribute("fields", np.bytes_(b"[" * 9000)), "its attributes are not those of a store"),
        (_attribute("positions", np.bytes_(b"some")), "its attributes are not those of a store"),
        (_attribute("first_text", -3), "first_text is negative"),
        (_attribute("schema", np.array([2, 2])), "an activation store of schema None"),
    ],
)
def test_what_is_odd_in_a_store_is_refused(
    store_path: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    with h5py.File(store_path, "r+") as file:
        change(file)
    with (
        pytest.raises(BadInputError, match=message) as caught,
        ActivationStore.open(store_path) as s,
    ):
        _ = s.offsets, s.texts
    assert str(store_path) in str(caught.value)


def test_a_file_that_is_being_written_is_not_called_damaged(store_path: Path) -> None:
    with (
        h5py.File(store_path, "r+"),
        pytest.raises(BadInputError, match="another process has it open for writing; wait"),
    ):
        _refused_as_locked(store_path)


def _refused_as_locked(path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from evenkeel.activations.store import "
        "ActivationStore as S; S.open(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    raise BadInputError(done.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["../00000.h5"], r"shards\.0\.file: String should match"),
        (["/etc/passwd"], r"shards\.0\.file: String should match"),
        (["00000.h5", "00000.h5"], "lists no shard, or one twice"),
        ([], "lists no shard, or one twice"),
    ],
)
def test_a_manifest_stays_in_its_folder(tmp_path: Path, files: list[str], message: str) -> None:
    entry = {"texts": 1, "tokens": 1, "bytes": 1, "identity": "x"}
    shards = [entry | {"file": name} for name in files]
    (tmp_path / "00000.h5").write_text("x")
    (tmp_path / "manifest.json").write_text(json.dumps({"shards": shards}))
    with pytest.raises(BadInputError, match=message):
        read_manifest(tmp_path)


def test_texts_lie_in_no_heap(store_path: Path) -> None:
    """A heap has no checksum, and a damaged one can keep HDF5 in an endless loop."""
    assert b"GCOL" not in store_path.read_bytes()


def test_a_zeroed_array_is_refused(store_path: Path) -> None:
    """A sum of zeros is zero: such a checksum, gone with its array, would pass."""
    with h5py.File(store_path, "r+") as file:
        file["tokens/input_ids"][:] = 0
    with (
        ActivationStore.open(store_path) as store,
        pytest.raises(BadInputError, match="tokens/input_ids does not match its checksum"),
    ):
        _ = store.input_ids
