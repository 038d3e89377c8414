"""Tasks on this machine: in this process, or in several."""

import multiprocessing
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.execution.job import ATTEMPTS, Job, Result, Running, Task


class InProcess:
    """One task after the other, in this process: nothing is pickled, nothing is loaded twice."""

    apart = False

    def run(self, job: Job[Task, Result], tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
        with self.started(job) as running:
            yield from running(tasks)

    @contextmanager
    def started(self, job: Job[Task, Result]) -> Iterator[Running[Task, Result]]:
        with job.opened() as work:
            yield lambda tasks: ((task, work(task)) for task in tasks)


@dataclass(frozen=True)
class Processes:
    """Processes of this machine that share its cores evenly."""

    workers: int
    apart = True

    def run(self, job: Job[Task, Result], tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
        with self.started(job) as running:
            yield from running(tasks)

    @contextmanager
    def started(self, job: Job[Task, Result]) -> Iterator[Running[Task, Result]]:
        pools = [self._pool(job)]  # the last one lives
        try:
            yield lambda tasks: self._spread(job, pools, tasks)
        finally:
            _end(pools[-1])

    def _spread(
        self, job: Job[Task, Result], pools: list[ProcessPoolExecutor], tasks: Iterable[Task]
    ) -> Iterator[tuple[Task, Result]]:
        """Run tasks in the last pool, and in new ones where processes die."""
        coming = iter(tasks)
        lost: deque[Task] = deque()  # with a worker that died
        deaths = 0
        while True:
            running: dict[Future[Result], Task] = {}
            try:
                while True:
                    missing = self.workers - len(running)
                    for task in [*islice(_drained(lost), missing)] or islice(coming, missing):
                        lost.append(task)  # until it is with a worker
                        running[pools[-1].submit(_work, task)] = lost.pop()
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        result = future.result()
                        deaths = 0
                        yield running.pop(future), result
            except BrokenProcessPool as error:  # it ends all others, too
                lost.extend(running.values())
                deaths += 1
                if deaths == ATTEMPTS:
                    raise died(f"{ATTEMPTS} times in a row a process") from error
                _end(pools.pop())
                pools.append(self._pool(job))

    def _pool(self, job: Job[Any, Any]) -> ProcessPoolExecutor:
        threads = max(1, (os.cpu_count() or 1) // self.workers)
        return ProcessPoolExecutor(
            self.workers,
            multiprocessing.get_context("spawn"),
            initializer=_prepare,
            initargs=(pickle.dumps(job), threads),
        )


def died(who: str) -> BadInputError:
    """The error to raise when workers die of what they are given."""
    return BadInputError(
        f"{who} died before its task was done; if memory ran out (see the system's log), use fewer "
        "workers, or smaller batches. What was finished is kept: the same command goes on there"
    )


def _drained(queue: deque[Task]) -> Iterator[Task]:
    while queue:
        yield queue.popleft()


def _end(pool: ProcessPoolExecutor) -> None:
    """Stop at once: a task is idempotent, and nobody waits for its result."""
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(cancel_futures=True)


_job: bytes
_opened = ExitStack()
_do: Callable[[Any], Any] | None = None


def _prepare(job: bytes, threads: int) -> None:
    """Settle the threads of this process, before anything that is unpickled imports torch."""
    global _job
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ["TQDM_DISABLE"] = "1"
    _job = job


def _work(task: Any) -> Any:
    """Do a task; the first one opens the job, so that what it refuses is raised as a task's."""
    global _do
    if _do is None:
        _do = _opened.enter_context(pickle.loads(_job).opened())  # noqa: S301  # of our parent
    return _do(task)
