"""An executor whose tasks see nothing but what was pickled, though it runs in this process."""

import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from evenkeel.execution.job import Job, Running


def pickled(thing: Any) -> Any:
    """What another process would get."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301


class Elsewhere:
    """One worker that sees nothing but what was pickled, and works from the last task back."""

    apart = True

    def __init__(self) -> None:
        self.tasks = 0
        """Done so far."""

    def run(self, job: Job[Any, Any], tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        with self.started(job) as running:
            yield from running(tasks)

    @contextmanager
    def started(self, job: Job[Any, Any]) -> Iterator[Running[Any, Any]]:
        with pickled(job).opened() as work:

            def backwards(tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
                for task in reversed(list(tasks)):
                    self.tasks += 1
                    yield task, pickled(work(pickled(task)))

            yield backwards
