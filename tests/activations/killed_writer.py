"""Started by test_kill: writes a store again and again, killed at a random moment each time.

A process of its own with one thread, beside one of jemalloc, which knows of forks: so they are
sound. A fork is what is killed; the next run is in this process.
"""

import gc
import multiprocessing
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from evenkeel.activations.writer import write_store
from evenkeel.models.loading import LoadedModel, load_model
from tests.activations.conftest import capture_params

KILLS = 10
SMALL = 200_000
ROWS = [
    {"text": f"The nurse number {number} was tired." + " Very." * (number % 5)}
    for number in range(80)
]


def write(path: Path, loaded: LoadedModel, shard_bytes: int) -> float:
    """Write the store; return how long that took."""
    started = time.perf_counter()
    write_store(path, loaded, ROWS, capture_params(batch_tokens=128), shard_bytes)
    return time.perf_counter() - started


def write_and_die(path: Path, loaded: LoadedModel, shard_bytes: int, seconds: float) -> None:
    """Write the store in a process of its own that is killed after so long."""
    assert threading.active_count() == 1
    context = multiprocessing.get_context("fork")
    child = context.Process(target=write, args=(path, loaded, shard_bytes))
    child.start()
    child.join(seconds)
    child.kill()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)


def content(path: Path) -> dict[str, bytes]:
    files = path.rglob("*") if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files}


def kill_and_compare(folder: Path, loaded: LoadedModel, shard_bytes: int) -> None:
    path = folder / "a.h5"
    lifetime = write(path, loaded, shard_bytes)
    expected = content(path)
    generator = np.random.default_rng(0)
    cut_short = 0
    for _ in range(KILLS):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        write_and_die(path, loaded, shard_bytes, generator.uniform(0, lifetime))
        cut_short += not path.exists()
        if path.exists():  # what has the final name is whole
            assert content(path) == expected
        lifetime = write(path, loaded, shard_bytes)  # as fast as the machine is by now
        assert content(path) == expected
        assert [file.name for file in folder.iterdir()] == ["a.h5"]
    assert cut_short >= KILLS // 3, f"only {cut_short} of {KILLS} runs were cut short"
    assert (len(expected) > 2) == (shard_bytes == SMALL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    tqdm.monitor_interval = 0  # or it watches from a thread
    model = load_model(Path(sys.argv[2]), device="cpu")
    gc.freeze()
    for shard_bytes in (2**32, SMALL):
        kill_and_compare(Path(sys.argv[1]) / str(shard_bytes), model, shard_bytes)
