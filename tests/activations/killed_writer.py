"""Started by test_kill: writes a store again and again, killed at a random moment each time.

A fork server imports torch once and has no threads, so that its forks are sound; each writer loads
the tiny model anew.
"""

import multiprocessing
import shutil
import signal
import sys
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from evenkeel.activations.writer import write_store
from evenkeel.models.loading import load_model
from tests.activations.conftest import capture_params

KILLS = 10
SMALL = 200_000
ROWS = [
    {"text": f"The nurse number {number} was tired." + " Very." * (number % 5)}
    for number in range(80)
]
CONTEXT = multiprocessing.get_context("forkserver")


def write(path: Path, model: Path, shard_bytes: int, ready: Event) -> None:
    loaded = load_model(model, device="cpu")
    ready.set()
    write_store(path, loaded, ROWS, capture_params(batch_tokens=64), shard_bytes)


def in_child(path: Path, model: Path, shard_bytes: int, kill_after: float | None) -> float:
    """Write the store in a process of its own; return how long the writing took."""
    ready = CONTEXT.Event()
    child = CONTEXT.Process(target=write, args=(path, model, shard_bytes, ready))
    child.start()
    assert ready.wait(60), "the writer did not load its model"
    started = time.perf_counter()
    if kill_after is not None:
        time.sleep(kill_after)
        child.kill()
    child.join()
    killed = kill_after is not None and child.exitcode == -signal.SIGKILL
    assert killed or child.exitcode == 0
    return time.perf_counter() - started


def content(path: Path) -> dict[str, bytes]:
    files = path.rglob("*") if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files}


def kill_and_compare(folder: Path, model: Path, shard_bytes: int) -> None:
    path = folder / "a.h5"
    lifetime = in_child(path, model, shard_bytes, None)
    expected = content(path)
    generator = np.random.default_rng(0)
    cut_short = 0
    for _ in range(KILLS):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        in_child(path, model, shard_bytes, generator.uniform(0, lifetime))
        cut_short += not path.exists()
        if path.exists():  # what has the final name is whole
            assert content(path) == expected
        lifetime = in_child(path, model, shard_bytes, None)  # as fast as the machine is by now
        assert content(path) == expected
        assert [file.name for file in folder.iterdir()] == ["a.h5"]
    assert cut_short >= KILLS // 3, f"only {cut_short} of {KILLS} runs were cut short"
    assert (len(expected) > 2) == (shard_bytes == SMALL)


if __name__ == "__main__":
    CONTEXT.set_forkserver_preload(
        [
            "evenkeel.activations.writer",
            "transformers.models.auto.modeling_auto",
            "transformers.models.auto.tokenization_auto",
            "transformers.models.gpt2.modeling_gpt2",
        ]
    )
    for shard_bytes in (2**32, SMALL):
        kill_and_compare(Path(sys.argv[1]) / str(shard_bytes), Path(sys.argv[2]), shard_bytes)
