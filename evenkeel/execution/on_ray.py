"""Tasks on a cluster: Ray Core, one actor a worker, which opens the job once."""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.execution.job import ATTEMPTS, Job, Result, Running, Task
from evenkeel.execution.local import died

log = logging.getLogger(__name__)

_RESTARTS = 8
"""Of an actor: its process, or its machine, may die as often."""
_PATIENCE = 30.0
"""Seconds without a worker after which what is missing is said."""
_SAME = ("evenkeel", "numpy", "torch", "transformers")
"""Packages whose version must be that of the driver: others may compute other bytes."""


@dataclass(frozen=True)
class OnRay:
    """Actors on a Ray cluster: the one of RAY_ADDRESS, the one on this machine, or a new one.

    Ray restarts an actor that died, on another machine if it must; its task is then run again by
    whichever actor is free. Tasks and results are small: activations never pass through Ray.

    Args:
        workers: number of actors; None for as many as the cluster has room for.
        cpus: of each actor; Ray gives torch as many threads.
        gpus: of each actor; None for one where the cluster has GPUs.
    """

    workers: int | None = None
    cpus: float = 1.0
    gpus: float | None = None
    apart = True

    def run(self, job: Job[Task, Result], tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
        with self.started(job) as running:
            yield from running(tasks)

    @contextmanager
    def started(self, job: Job[Task, Result]) -> Iterator[Running[Task, Result]]:
        ray = _connected()
        actor_class = ray.remote(_Worker)
        needs, workers = self._placing(ray.cluster_resources())
        actors = [
            actor_class.options(**needs, max_restarts=_RESTARTS, max_task_retries=0).remote(job)
            for _ in range(workers)
        ]
        try:
            yield lambda tasks: _spread(ray, actors, tasks)
        finally:
            for actor in actors:
                ray.kill(actor)

    def _placing(self, there: dict[str, float]) -> tuple[dict[str, float], int]:
        """What each actor asks for, and how many there are to be.

        Raises:
            BadInputError: the cluster has no room for one.
        """
        gpus = self.gpus if self.gpus is not None else float(there.get("GPU", 0) > 0)
        needs = {"num_cpus": self.cpus, "num_gpus": gpus}
        room = min(
            int(there.get(name, 0) // need)
            for name, need in (("CPU", self.cpus), ("GPU", gpus))
            if need
        )
        if not room:
            raise BadInputError(
                f"a worker needs {self.cpus:g} CPUs and {gpus:g} GPUs, but the Ray cluster has "
                f"{there.get('CPU', 0):g} and {there.get('GPU', 0):g}; ask for less, or add a "
                "machine to it: ray start --address=HEAD:6379"
            )
        return needs, self.workers or room


class _Worker:
    """An actor: a process on some machine that holds one opened job."""

    def __init__(self, job: Any) -> None:
        os.environ["TQDM_DISABLE"] = "1"
        self._job = job
        self._opened = ExitStack()
        self._do: Callable[[Any], Any] | None = None

    def versions(self) -> dict[str, str]:
        """Of the packages that decide what is computed; also says that this actor lives."""
        return _versions()

    def work(self, task: Any) -> Any:
        if self._do is None:
            self._do = self._opened.enter_context(self._job.opened())
        return self._do(task)


def _versions() -> dict[str, str]:
    return {package: version(package) for package in _SAME}


def _connected() -> Any:
    """The module ray, connected to a cluster.

    Raises:
        BadInputError: it is not installed, or there is no cluster at the address given.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    try:
        import ray
    except ImportError:
        raise BadInputError("--executor ray needs Ray: pip install 'evenkeel[ray]'") from None
    if not ray.is_initialized():
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            where = os.environ.get("RAY_ADDRESS", "this machine")
            raise BadInputError(
                f"no Ray cluster at {where} (RAY_ADDRESS): {error}; start one: ray start --head"
            ) from error
    return ray


def _spread(ray: Any, actors: list[Any], tasks: Iterable[Task]) -> Iterator[tuple[Task, Any]]:
    """Give each free actor a task; what an actor was doing when it died is another's."""
    coming = iter(tasks)
    lost: deque[tuple[Task, int]] = deque()  # with how many workers have died of it
    free: deque[Any] = deque()
    asked = {_ask(actor): actor for actor in actors}  # whether they live: new ones, and restarted
    running: dict[Any, tuple[Any, Task, int]] = {}
    while True:
        while free:
            task, deaths = lost.popleft() if lost else (next(coming, None), 0)
            if task is None:
                break
            actor = free.popleft()
            running[actor.work.remote(task)] = actor, task, deaths
        if not running and not lost and free:
            return
        ended, _ = ray.wait([*running, *asked], num_returns=1, timeout=_PATIENCE)
        if not ended and not running:
            log.warning("no worker has started yet: the cluster has no room; waiting for it")
        for reference in ended:
            if reference in asked:
                actor = asked.pop(reference)
                if _lives(ray, reference):
                    free.append(actor)
            else:
                actor, task, deaths = running.pop(reference)
                try:
                    result = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise (error.cause or error) from error
                except ray.exceptions.RayActorError as error:
                    if deaths + 1 == ATTEMPTS:
                        raise died(f"{ATTEMPTS} workers that were given it: a worker") from error
                    lost.append((task, deaths + 1))
                    asked[_ask(actor)] = actor
                else:
                    free.append(actor)
                    yield task, result
        if not free and not running and not asked:
            raise died("every worker")


def _ask(actor: Any) -> Any:
    """A call that waits until an actor lives (again), and fails when it never will."""
    return actor.versions.options(max_task_retries=-1).remote()


def _lives(ray: Any, reference: Any) -> bool:
    """Whether an actor answered.

    Raises:
        BadInputError: it runs other versions than this process.
    """
    try:
        found = ray.get(reference)
    except ray.exceptions.RayActorError:
        return False
    if found != _versions():
        raise BadInputError(
            f"a worker has {found}, this machine {_versions()}; install the same versions on all "
            "machines of the cluster"
        )
    return True
