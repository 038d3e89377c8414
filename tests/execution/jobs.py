"""Jobs whose workers can be watched and killed; workers of every executor import this."""

import hashlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from evenkeel.activations import shard_job
from evenkeel.activations.shard_job import ShardJob, ShardTask
from evenkeel.execution.job import Executor, Job, Running
from evenkeel.scoring.pass_job import Result

SECONDS_OF_A_PASS = 0.05


class Watched:
    """Passes of the model over batches, by whom: a file that workers append a line a pass to."""

    def __init__(self, work: Path) -> None:
        self.file = work.parent / f"{work.name}.passes"

    def note(self, batch: Any) -> None:
        line = f"{os.getpid()} {hashlib.sha256(batch.numpy().tobytes()).hexdigest()}\n"
        with self.file.open("a") as file:
            file.write(line)

    def passes(self) -> list[tuple[int, str]]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [(int(pid), batch) for pid, batch in (line.split() for line in lines)]

    def repeated(self) -> int:
        """Passes over batches that had been passed before."""
        counts = Counter(batch for _, batch in self.passes())
        return sum(counts.values()) - len(counts)


@dataclass(frozen=True)
class WatchedJob(ShardJob):
    """Shards, a line and a moment a pass."""

    @contextmanager
    def opened(self) -> Iterator[Callable[[ShardTask], int]]:
        watched = Watched(self.work)
        recording = shard_job.recording

        @contextmanager
        def slowly(*arguments: Any) -> Iterator[Any]:
            with recording(*arguments) as forward:

                def passing(ids: Any, select: Any) -> Any:
                    watched.note(ids)
                    time.sleep(SECONDS_OF_A_PASS)
                    return forward(ids, select)

                yield passing

        shard_job.recording = slowly  # type: ignore[assignment]
        try:
            with super().opened() as work:
                yield work
        finally:
            shard_job.recording = recording


@dataclass(frozen=True)
class MortalJob:
    """Another job: notes each task that is done, and kills -9 who has done the first, in it."""

    job: Job[Any, Any]
    notes: Path

    @contextmanager
    def opened(self) -> Iterator[Callable[[Any], Any]]:
        with self.job.opened() as work:

            def mortally(task: Any) -> Any:
                result = work(task)
                first = not self.notes.exists()
                name = hashlib.sha256(repr(task).encode()).hexdigest()
                with self.notes.open("a") as file:
                    file.write(f"{os.getpid()} {name}\n")
                if first:
                    os.kill(os.getpid(), signal.SIGKILL)  # before anybody has the result
                return result

            yield mortally


@dataclass(frozen=True)
class Deadly:
    """An executor one of whose workers is killed -9 in the first task that any of them does."""

    executor: Executor
    notes: Path
    apart = True

    def run(self, job: Job[Any, Any], tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        return self.executor.run(MortalJob(job, self.notes), tasks)

    def started(self, job: Job[Any, Any]) -> AbstractContextManager[Running[Any, Any]]:
        return self.executor.started(MortalJob(job, self.notes))

    def repeated(self) -> int:
        """Tasks that were done once more than needed."""
        names = [line.split()[1] for line in self.notes.read_text().splitlines()]
        return len(names) - len(set(names))

    def workers(self) -> int:
        """Processes that did a task."""
        return len({line.split()[0] for line in self.notes.read_text().splitlines()})


@dataclass(frozen=True)
class LogitsOf:
    """A pass over a batch: the last token's first three logits."""

    ids: Tensor

    def run(self, model: Any) -> Iterator[Result]:
        yield model(self.ids).logits[0, -1, :3].detach().double().numpy()
