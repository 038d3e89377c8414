"""Shards whose workers can be watched and killed; workers of every executor import this."""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenkeel.activations import shard_job
from evenkeel.activations.shard_job import ShardJob, ShardTask

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
