"""Shards on a Ray cluster of this machine: throughput, overhead, bytes, and the plan against runs.

    python -m benchmarks.cluster --model models/base --texts data/dataset/corpus/train.jsonl
    python -m benchmarks.cluster --only planner --count 10_000_000

The cases take turns, round by round; a figure is the median over rounds. Throughput is that of
whole shards after the first of each worker, so that neither the start of Ray nor the loading of a
model counts. On a busy machine take `--clock cpu`: tokens a second of processor time, the driver's
and all workers'; what waits costs nothing then. `--folder /dev/shm` leaves the disk out. The
planner's case runs texts of 8 words through planner, worker and merger with a model of one block,
8 wide, in a process of its own.
"""

import hashlib
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from typing import Any

import click

from evenkeel.activations.content import cut_into_shards
from evenkeel.activations.shard_job import ModelFolder, ShardJob, ShardTask, header_of
from evenkeel.activations.sources import open_texts
from evenkeel.activations.writer import Workers, shard_tasks, write_store
from evenkeel.execution.job import Executor
from evenkeel.execution.local import InProcess
from evenkeel.execution.on_ray import OnRay
from evenkeel.execution.simulation import Rates, simulate
from evenkeel.files import work_folder
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.params import CaptureParams

PARAMS = CaptureParams(
    sites=["resid_post"],
    layers="all",
    positions="all",
    sinks="exclude",
    dtype="float32",
    compute_dtype=None,
    batch_tokens=2048,
    max_texts=None,
)
STUB_SECONDS = 0.2
STUB_SHARDS = 40


@dataclass(frozen=True)
class Stub:
    """A shard that takes a moment and computes nothing."""

    seconds: float

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], int]]:
        def work(task: int) -> int:
            time.sleep(self.seconds)
            return task

        yield work


@dataclass(frozen=True)
class TimedJob(ShardJob):
    """Shards, each with the processor time that it took its worker."""

    @contextmanager
    def opened(self) -> Iterator[Callable[[ShardTask], float]]:  # type: ignore[override]
        with super().opened() as work:

            def timed(task: ShardTask) -> float:
                started = time.process_time()
                work(task)
                return time.process_time() - started

            yield timed


@dataclass(frozen=True)
class Case:
    """Who computes, on how many threads of this process."""

    name: str
    executor: Executor
    workers: int
    threads: int = 1


@click.command()
@click.option("--model", type=click.Path(path_type=Path), default=Path("models/base"))
@click.option(
    "--texts", type=click.Path(path_type=Path), default=Path("data/dataset/corpus/train.jsonl")
)
@click.option("--folder", type=click.Path(path_type=Path), default=None)
@click.option("--shards", default=12, help="Of a run.")
@click.option("--shard-mib", default=64)
@click.option("--rounds", default=3)
@click.option("--clock", type=click.Choice(["wall", "cpu"]), default="wall")
@click.option("--count", type=int, default=10_000_000, help="Texts of the planner's case.")
@click.option("--only", type=click.Choice(["shards", "dispatch", "planner"]), multiple=True)
@click.option("--json", "as_json", is_flag=True)
def main(
    model: Path,
    texts: Path,
    folder: Path | None,
    shards: int,
    shard_mib: int,
    rounds: int,
    clock: str,
    count: int,
    only: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure shards on a Ray cluster of this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    wanted = only or ("shards", "dispatch", "planner")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=folder) as place:
        if "planner" in wanted:
            found |= apart(planner, Path(place), count)
        if "dispatch" in wanted:
            found |= dispatch()
        if "shards" in wanted:
            found |= shards_of(
                model.resolve(), texts, Path(place), shards, shard_mib, rounds, clock
            )
    for name, value in found.items():
        if not as_json:
            print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    if as_json:
        print(json.dumps(found))


def shards_of(
    model: Path, source: Path, place: Path, shards: int, shard_mib: int, rounds: int, clock: str
) -> dict[str, Any]:
    """Tokens a second of each case, and whether the bytes are the same."""
    import torch

    loaded = load_model(model, device="cpu")
    rows = enough(loaded, source, shards, shard_mib)
    cases = [
        Case("one process, one thread", InProcess(), 1),
        Case("one process, two threads", InProcess(), 1, threads=2),
        Case("one actor, one thread", OnRay(1), 1),
        Case("two actors, one thread each", OnRay(2), 2),
    ]
    speeds: dict[str, list[float]] = {case.name: [] for case in cases}
    sums: dict[str, str] = {}
    for _ in range(rounds):
        for case in cases:
            torch.set_num_threads(case.threads)
            path = place / "a.h5"
            speed = throughput(case, loaded, model, rows, path, shard_mib, clock)
            speeds[case.name].append(speed)
            sums[case.name] = digest(work_folder(path))
    median = {name: statistics.median(values) for name, values in speeds.items()}
    alone, threaded, one, two = speeds.values()
    found: dict[str, Any] = {
        **{f"tokens/s, {name}": value for name, value in median.items()},
        "two actors over two threads": statistics.median(map(truediv, two, threaded)),
        "one actor over one process": statistics.median(map(truediv, one, alone)),
        "the same bytes, one thread each": len(
            {sums[case.name] for case in cases if case.threads == 1}
        ) == 1,
        "the same bytes, one and two threads": len(set(sums.values())) == 1,
    }  # fmt: skip
    if clock == "wall":
        tokens = sum(map(len, loaded.encoder.encode_all([row["text"] for row in rows]))) / shards
        for workers, name in ((1, cases[2].name), (2, cases[3].name)):
            speed = predicted(shards, tokens / median[cases[0].name], workers) * tokens
            found[f"simulated over real tokens/s, {workers} actors"] = speed / median[name]
    return found


def predicted(shards: int, shard_seconds: float, workers: int) -> float:
    """Shards a second of a simulated run."""
    rates = Rates(shards, shard_seconds, shard_bytes=0.0, dispatch_seconds=0.002)
    return shards / simulate(rates, workers).seconds


def enough(loaded: LoadedModel, source: Path, shards: int, shard_mib: int) -> list[Any]:
    """As many texts, again and again, as fill so many shards."""
    texts = list(open_texts(source))
    header = header_of(loaded, PARAMS)
    some = texts[:2000]
    tokens = sum(map(len, loaded.encoder.encode_all([row["text"] for row in some])))
    count = int(shards * shard_mib * 2**20 / (tokens / 2000 * header.row_bytes) * 0.995)
    return [texts[number % len(texts)] for number in range(count)]


def throughput(
    case: Case,
    loaded: LoadedModel,
    model: Path,
    rows: list[Any],
    path: Path,
    shard_mib: int,
    clock: str,
) -> float:
    """Tokens a second after each worker's first shard, or a second of all processors' time."""
    work = work_folder(path)
    for file in work.glob("*"):
        file.unlink()
    work.mkdir(exist_ok=True)
    workers = Workers(case.executor, ModelFolder(model))
    header = header_of(loaded, PARAMS)
    contents = cut_into_shards(loaded, rows, header, shard_mib * 2**20)
    tasks: Iterator[ShardTask] = shard_tasks(path, contents, len(rows), workers)
    job = TimedJob(work, PARAMS, ModelFolder(model) if case.executor.apart else loaded)
    walls, driver, theirs, tokens = [], [], [], []
    for task, seconds in case.executor.run(job, tasks):
        walls.append(time.perf_counter())
        driver.append(time.process_time())
        theirs.append(seconds if case.executor.apart else 0.0)
        tokens.append(task.planned.tokens)
    first = case.workers
    wall = walls[-1] - walls[first - 1]
    processors = driver[-1] - driver[first - 1] + sum(theirs[first:])
    return sum(tokens[first:]) / (wall if clock == "wall" else processors)


def dispatch() -> dict[str, Any]:
    """Ray's own time between two tasks of an actor, and simulated against real runs of a stub."""
    found: dict[str, Any] = {}
    marks = [time.perf_counter() for _ in OnRay(1).run(Stub(0.0), range(500))]
    found["Ray's seconds a shard"] = (marks[-1] - marks[99]) / 400
    for workers in (1, 2, 4):
        marks = [
            time.perf_counter()
            for _ in OnRay(workers, cpus=0.25).run(Stub(STUB_SECONDS), range(STUB_SHARDS + workers))
        ]  # cpus: what a stub does not use, so that four have room on two cores
        real = marks[-1] - marks[workers - 1]
        rates = Rates(
            STUB_SHARDS, STUB_SECONDS, 0.0, dispatch_seconds=found["Ray's seconds a shard"]
        )
        found[f"stub: simulated over real seconds, {workers} actors"] = (
            simulate(rates, workers).seconds / real
        )
    return found


def apart(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Run a function in a process of its own, so that its memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def planner(place: Path, count: int) -> dict[str, Any]:
    """Very many texts through planner, worker and merger, with a stub of a model."""
    from benchmarks.activations import random_model

    loaded = random_model({"n_layer": 1, "n_embd": 8, "n_head": 1, "vocab_size": 1000})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    rows = ({"text": f"{n % 997} 1 2 3 4 5 6 {n % 991}", "n": n} for n in range(count))
    params = PARAMS.model_copy(update={"positions": "last", "batch_tokens": 65536})
    started, processor = time.perf_counter(), time.process_time()
    summary = write_store(place / "many.h5", loaded, rows, params)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {
        "planner: texts": summary.texts,
        "planner: shards": summary.shards,
        "planner: minutes": seconds / 60,
        "planner: minutes of processor time": processor / 60,
        "planner: most memory, MiB": most,
        "planner: of it before the first text, MiB": before,
    }


def digest(folder: Path) -> str:
    """SHA-256 of all shards of a folder."""
    found = hashlib.sha256()
    for file in sorted(folder.glob("*.h5")):
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                found.update(block)
    return found.hexdigest()


if __name__ == "__main__":
    main()
