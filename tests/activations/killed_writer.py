"""Started by test_kill: writes a store again and again, killed at a random moment each time.

A process of its own that forks: it imports torch once, and forks before torch has threads.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from evenkeel.activations.writer import write_store
from evenkeel.models.loading import LoadedModel, load_model
from tests.activations.conftest import capture_params

KILLS = 10
SMALL = 200_000
ROWS = [
    {"text": f"The nurse number {number} was tired." + " Very." * (number % 5)}
    for number in range(80)
]


def in_child(path: Path, loaded: LoadedModel, shard_bytes: int, kill_after: float | None) -> float:
    """Write the store in a fork; return how long it lived."""
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            params = capture_params(batch_tokens=64)
            write_store(path, loaded, ROWS, params, shard_bytes)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0
    return time.perf_counter() - started


def content(path: Path) -> dict[str, bytes]:
    files = path.rglob("*") if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files}


def kill_and_compare(folder: Path, loaded: LoadedModel, shard_bytes: int) -> None:
    path = folder / "a.h5"
    lifetime = in_child(path, loaded, shard_bytes, None)
    expected = content(path)
    generator = np.random.default_rng(0)
    cut_short = 0
    for _ in range(KILLS):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        in_child(path, loaded, shard_bytes, generator.uniform(0, lifetime))
        cut_short += not path.exists()
        if path.exists():  # what has the final name is whole
            assert content(path) == expected
        in_child(path, loaded, shard_bytes, None)
        assert content(path) == expected
        assert [file.name for file in folder.iterdir()] == ["a.h5"]
    assert cut_short >= KILLS // 3, f"only {cut_short} of {KILLS} runs were cut short"
    assert (len(expected) > 2) == (shard_bytes == SMALL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    model = load_model(Path(sys.argv[2]), device="cpu")
    for shard_bytes in (2**32, SMALL):
        kill_and_compare(Path(sys.argv[1]) / str(shard_bytes), model, shard_bytes)
