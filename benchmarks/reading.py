"""Speed of reading a store in shuffled batches, as a share of reading its file from end to end.

    python -m benchmarks.reading

The file is dropped from the page cache before each reading, so that it comes from the disk; the
plain reading goes past that cache, whose pages can cost a virtual machine as much as the disk. With
`--warm` all come from memory, where checking and mixing show. The rounds alternate; each figure is
the median of the rounds' ratios.
"""

import mmap
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import numpy as np

from benchmarks.activations import random_model, random_texts
from benchmarks.figures import Figure, show
from evenkeel.activations.reading import blocks, shuffled_batches
from evenkeel.activations.store import ActivationStore
from evenkeel.activations.writer import write_store
from evenkeel.params import CaptureParams

WIDTH, VOCABULARY, BATCH_ROWS = 768, 2048, 2048
POINT = ("resid_pre", 0)  # the embeddings: a store of any size without a forward pass


def write(path: Path, texts: int) -> None:
    params = CaptureParams(
        sites=[POINT[0]],
        layers=[POINT[1]],
        positions="all",
        sinks="exclude",
        dtype="float32",
        compute_dtype=None,
        batch_tokens=2048,
        max_texts=None,
    )
    loaded = random_model({"n_layer": 1, "n_embd": WIDTH, "n_head": 12, "vocab_size": VOCABULARY})
    rows = ({"text": text} for text in random_texts(texts, VOCABULARY))
    write_store(path, loaded, rows, params)


def drop_from_cache(path: Path) -> None:
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_end_to_end(path: Path, warm: bool) -> None:
    buffer = mmap.mmap(-1, 16 << 20)  # begins at a page, as O_DIRECT wants it
    file = os.open(path, os.O_RDONLY if warm else os.O_RDONLY | os.O_DIRECT)
    with os.fdopen(file, "rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass


def read_shuffled(path: Path) -> None:
    with ActivationStore.open(path) as store:
        assert sum(map(len, shuffled_batches(store, *POINT, BATCH_ROWS, seed=0))) == store.rows


def read_norms(path: Path) -> None:
    with ActivationStore.open(path) as store:
        sum(float(np.linalg.norm(rows, axis=1).sum()) for rows in blocks(store, *POINT))


WAYS: dict[str, Callable[[Path], None]] = {
    "shuffled batches": read_shuffled,
    "mean norm": read_norms,
}


GOALS = {"shuffled batches": 0.8}
"""Of the plain reading's speed."""


@click.command()
@click.option("--texts", default=20000, show_default=True, help="Texts of 8 to 40 tokens.")
@click.option("--rounds", default=5, show_default=True, help="Measured rounds.")
@click.option("--warm", is_flag=True, help="Leave the file in the page cache.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write; a temporary one.")
@click.option("--json", "as_json", is_flag=True, help="Rows of JSON instead of a table.")
def main(texts: int, rounds: int, warm: bool, folder: Path | None, as_json: bool) -> None:
    """Print the speed of each way of reading as a share of the plain one's."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = Path(name) / "store.h5"
        write(path, texts)
        floor = "end to end, unchecked"
        ways = {floor: partial(read_end_to_end, warm=warm)} | WAYS
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, read in ways.items():
                if not warm:
                    drop_from_cache(path)
                started = time.perf_counter()
                read(path)
                times[way].append(time.perf_counter() - started)
        plain = times[floor]
        size = path.stat().st_size
        speed = size / 2**20 / statistics.median(plain)
        place = "in memory" if warm else "from the disk"
        shares = {
            way: statistics.median(p / t for p, t in zip(plain, taken, strict=True))
            for way, taken in times.items()
        }
        show(
            f"{size / 2**30:.2f} GiB {place}, end to end at {speed:.0f} MiB/s",
            [Figure(way, share, GOALS.get(way), "higher") for way, share in shares.items()],
            as_json,
        )


if __name__ == "__main__":
    main()
