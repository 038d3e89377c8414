"""What is asked of an executor: a job that every worker opens once, and its tasks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Task_contra = TypeVar("Task_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

ATTEMPTS = 3
"""A task is given up when it has lost as many workers: it is what kills them."""


class Job(Protocol[Task_contra, Result_co]):
    """Work that can be done in any process: it is pickled, so it names files and holds no model.

    Tasks are idempotent: one whose worker died is run again, and finds what is already done.
    """

    def opened(self) -> AbstractContextManager[Callable[[Task_contra], Result_co]]:
        """What a worker needs for all tasks, such as a loaded model; yields what does one task."""
        ...


Running = Callable[[Iterable[Task]], Iterator[tuple[Task, Result]]]
"""Runs tasks of a job whose workers are there: each with its result, in the order they end."""


def in_order(running: Running[Task, Result], tasks: Sequence[Task]) -> Iterator[Result]:
    """The results of tasks in the order of the tasks; those that end early wait."""
    place = {id(task): number for number, task in enumerate(tasks)}
    ended: dict[int, Result] = {}
    following = 0
    for task, result in running(tasks):
        ended[place[id(task)]] = result
        while following in ended:
            yield ended.pop(following)
            following += 1


class Executor(Protocol):
    """Runs the tasks of a job; which executor runs them changes nothing in what they write."""

    @property
    def apart(self) -> bool:
        """Whether tasks and results are pickled, for they run in other processes."""
        ...

    def run(self, job: Job[Task, Result], tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
        """Each task with its result, in the order in which they end.

        Tasks are taken from `tasks` as workers become free, a few ahead at most, so that they may
        be any number. When this generator is closed or raises, no worker runs any more.

        Raises:
            BadInputError: as the job does; a task killed `ATTEMPTS` workers; no worker is left.
        """
        ...

    def started(self, job: Job[Task, Result]) -> AbstractContextManager[Running[Task, Result]]:
        """Workers that stay while the block runs, for a job whose tasks come bit by bit."""
        ...
