"""Shards computed by others: over a shared folder, over S3, one by one, after a plan."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evenkeel.activations import shard_job
from evenkeel.activations.planning import Plan
from evenkeel.activations.shard_job import ModelFolder
from evenkeel.activations.storage import ObjectStorage, scratch_folder
from evenkeel.activations.writer import Workers, plan_store, write_planned, write_store
from evenkeel.errors import BadInputError
from evenkeel.execution.job import Job
from evenkeel.files import work_folder
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import record_provenance
from tests.activations.conftest import ROWS, capture_params
from tests.activations.test_writer import bytes_of
from tests.execution.elsewhere import Elsewhere

SMALL = 20_000
PARAMS = capture_params()
ROWS = ROWS * 3


@pytest.fixture
def folder(tiny_folder: Path) -> ModelFolder:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    return ModelFolder(tiny_folder)


@pytest.fixture
def model(folder: ModelFolder) -> LoadedModel:
    return load_model(folder.path)  # where workers load it, too


@pytest.fixture
def alone(model: LoadedModel, tmp_path: Path) -> dict[str, bytes]:
    """The bytes of the store that this process writes."""
    path = tmp_path / "alone.h5"
    assert write_store(path, model, ROWS, PARAMS, SMALL).shards > 3
    return bytes_of(path)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ObjectStorage]:
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    started = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    boto3.client("s3").create_bucket(Bucket="team")
    yield ObjectStorage("s3://team/shards")
    started.stop()


def test_over_a_shared_folder(
    alone: dict[str, bytes], model: LoadedModel, folder: ModelFolder, tmp_path: Path
) -> None:
    path = tmp_path / "apart.h5"

    write_store(path, model, ROWS, PARAMS, SMALL, Workers(Elsewhere(), folder))

    assert bytes_of(path) == alone
    assert not work_folder(path).exists()


def test_over_s3(
    s3: ObjectStorage,
    alone: dict[str, bytes],
    model: LoadedModel,
    folder: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s3.check()
    path = tmp_path / "apart.h5"
    write_store(path, model, ROWS, PARAMS, SMALL, Workers(Elsewhere(), folder, s3))
    assert bytes_of(path) == alone
    assert not list(scratch_folder().iterdir())

    # Another store of the same texts finds its shards there, and computes none.
    monkeypatch.setattr(shard_job, "write_shard", None)
    write_store(tmp_path / "again.h5", model, ROWS, PARAMS, SMALL, Workers(storage=s3))
    assert bytes_of(tmp_path / "again.h5") == alone


@pytest.mark.parametrize("url", ["s3://other/shards", "nosuch://team"])
def test_a_storage_that_cannot_be_written(s3: ObjectStorage, url: str) -> None:
    with pytest.raises(BadInputError, match=f"--storage {url}: "):
        ObjectStorage(url).check()


def test_one_by_one_after_a_plan(
    alone: dict[str, bytes], model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "planned.h5"
    plan = plan_store(path, model, ROWS, PARAMS, SMALL)
    assert plan == Plan.load(work_folder(path))
    assert [shard.first_text for shard in plan.shards][:1] == [0]
    assert sum(shard.texts for shard in plan.shards) == len(ROWS)
    assert not list(work_folder(path).glob("*.h5")), "nothing is computed"

    for number in reversed(range(len(plan.shards))):
        assert write_planned(path, model, PARAMS, number) == plan.shards[number].texts
        assert write_planned(path, model, PARAMS, number) == 0, "it is there"

    monkeypatch.setattr(shard_job, "write_shard", None)
    write_store(path, model, ROWS, PARAMS, SMALL)
    assert bytes_of(path) == alone
    assert not work_folder(path).exists()


def test_shards_that_nobody_planned(model: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / "planned.h5"
    with pytest.raises(BadInputError, match=r"give the same command with --plan first"):
        write_planned(path, model, PARAMS, 0)
    plan_store(path, model, ROWS, PARAMS, SMALL)

    with pytest.raises(BadInputError, match=r"--shard 99: the plan has shards 0 to \d+$"):
        write_planned(path, model, PARAMS, 99)
    with pytest.raises(BadInputError, match="would not be the one that was planned"):
        write_planned(path, model, capture_params(dtype="float16"), 0)
    texts = work_folder(path) / "00000.jsonl"
    texts.write_text(texts.read_text().replace("nurse", "doctor"))
    with pytest.raises(BadInputError, match="would not be the one that was planned"):
        write_planned(path, model, PARAMS, 0)


def test_a_shard_that_is_not_the_planned_one(
    model: LoadedModel, folder: ModelFolder, tmp_path: Path
) -> None:
    """Its worker said that it was done, but in another folder."""

    class Idle:
        apart = True

        def run(self, job: Job[Any, Any], tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
            yield from ((task, 0) for task in tasks)

    with pytest.raises(BadInputError, match=r"00000.h5: not the shard that was planned"):
        write_store(tmp_path / "a.h5", model, ROWS, PARAMS, SMALL, Workers(Idle(), folder))
