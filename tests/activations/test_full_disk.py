"""On a real file system of 300 KiB."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenkeel.activations import writer
from evenkeel.activations.store import ActivationStore
from evenkeel.activations.writer import write_store
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from tests.activations.conftest import ROWS, capture_params


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root; the other disk tests simulate it")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_too_much_for_the_disk(
    small_disk: Path, loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_disk / "a.h5"
    write_store(path, loaded, ROWS, capture_params(positions="last"))
    before = path.read_bytes()

    with pytest.raises(BadInputError, match=r"a.h5 needs about \d+.\d KiB more, .* free space"):
        write_store(path, loaded, ROWS * 10, capture_params())

    # Should the estimate be wrong, it is the file system that says so.
    monkeypatch.setattr(writer, "refuse_if_too_large", lambda *_: None)
    for shard_bytes in (2**32, 60_000):
        with pytest.raises(BadInputError, match=r"the disk is full: .*a.h5 could not be finished"):
            write_store(path, loaded, ROWS * 10, capture_params(), shard_bytes)

    assert path.read_bytes() == before
    with ActivationStore.open(path) as store:
        assert store.positions == "last"
