import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenkeel.activations import writer
from evenkeel.activations.shard_job import ModelFolder
from evenkeel.activations.writer import Workers, write_store
from evenkeel.errors import BadInputError
from evenkeel.execution.choosing import executor_of
from evenkeel.execution.job import ATTEMPTS, Executor
from evenkeel.execution.local import InProcess, Processes
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from tests.activations.conftest import capture_params
from tests.execution.jobs import Watched, WatchedJob
from tests.execution.squares import Squares

EXECUTORS = [InProcess(), Processes(2)]
TEXTS = [{"text": f"The nurse number {number} was tired.", "n": number} for number in range(40)]
SHARD_BYTES = 60_000


@pytest.mark.parametrize("executor", EXECUTORS)
def test_every_task_once(executor: Executor) -> None:
    found = dict(executor.run(Squares(), range(12)))

    assert found == {number: number**2 for number in range(12)}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_no_task(executor: Executor) -> None:
    assert list(executor.run(Squares(), [])) == []


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_the_job_refuses(executor: Executor) -> None:
    with pytest.raises(BadInputError, match=r"^13 is refused$"):
        list(executor.run(Squares(), [12, 13, 14]))
    with pytest.raises(BadInputError, match=r"^no model$"):
        list(executor.run(Squares("no model"), [1]))


def test_tasks_are_taken_as_workers_become_free() -> None:
    taken = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(1)
            yield 2

    for executor in EXECUTORS:
        taken.clear()
        running = executor.run(Squares(), endless())
        assert [next(running) for _ in range(5)] == [(2, 4)] * 5
        running.close()
        assert len(taken) <= 5 + 2 * 2


def test_a_task_that_kills_its_workers_is_given_up() -> None:
    with pytest.raises(BadInputError, match=f"{ATTEMPTS} times in a row a process died .* memory"):
        list(Processes(1).run(Squares(), [666]))


def test_what_the_others_were_doing_when_one_died_is_done(tmp_path: Path) -> None:
    found = list(Processes(2).run(Squares(once=tmp_path / "once"), range(12)))

    assert sorted(found) == [(number, number**2) for number in range(12)]
    assert (tmp_path / "once").exists()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_workers_that_stay(executor: Executor, tmp_path: Path) -> None:
    with executor.started(Squares(once=tmp_path / "once")) as running:
        assert sorted(running([1, 2])) == [(1, 1), (2, 4)]
        assert list(running([])) == []
        if executor.apart:
            assert sorted(running([6, 7, 8])) == [(6, 36), (7, 49), (8, 64)]  # 7 kills one
        with pytest.raises(BadInputError, match=r"^13 is refused$"):
            list(running([13]))
        assert dict(running([3])) == {3: 9}


def test_choosing() -> None:
    assert isinstance(executor_of("local"), InProcess)
    assert isinstance(executor_of("local", 1), InProcess)
    assert executor_of("local", 3) == Processes(3)
    assert executor_of("ray", 3, cpus=2).apart


def test_ray_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(BadInputError, match=r"needs Ray: pip install 'evenkeel\[ray\]'"):
        list(executor_of("ray").run(Squares(), [1]))


def bytes_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_shards_of_a_killed_process(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes as in this process, and nothing computed twice but what was lost."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    record_provenance(tiny_folder, "local", "tiny", "float32")
    loaded = load_model(tiny_folder)  # where other processes load it, too
    params = capture_params(batch_tokens=64)
    summary = write_store(tmp_path / "alone.h5", loaded, TEXTS, params, SHARD_BYTES)
    assert summary.shards > 4
    monkeypatch.setattr(writer, "ShardJob", WatchedJob)
    watched = Watched(tmp_path / ".apart.h5.part")
    killer = threading.Thread(target=_kill_it, args=[watched])
    killer.start()

    workers = Workers(Processes(1), ModelFolder(tiny_folder))
    again = write_store(tmp_path / "apart.h5", loaded, TEXTS, params, SHARD_BYTES, workers)
    killer.join()

    assert again == summary
    assert bytes_of(tmp_path / "apart.h5") == bytes_of(tmp_path / "alone.h5")
    # The pass in which it was killed, and those that waited to be written.
    assert watched.repeated() <= 4
    assert len({pid for pid, _ in watched.passes()}) == 2


def _kill_it(watched: Watched) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if len(watched.passes()) > 8:
            os.kill(watched.passes()[-1][0], signal.SIGKILL)
            return
        time.sleep(0.01)
