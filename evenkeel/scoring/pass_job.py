"""Forward passes as tasks, for workers in other processes: a batch under some of the edits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from jaxtyping import Float
from numpy import ndarray

from evenkeel.activations.shard_job import ModelFolder

Result = Float[ndarray, " numbers"]


class PassTask(Protocol):
    """Passes over one batch; it is pickled."""

    def run(self, model: Any) -> Iterator[Result]:
        """What each pass gives, in order."""
        ...


@dataclass(frozen=True)
class PassJob:
    """Passes of a model that workers load: the same folder on every machine."""

    model: ModelFolder

    @contextmanager
    def opened(self) -> Iterator[Callable[[PassTask], list[Result]]]:
        loaded = self.model.load()
        yield lambda task: list(task.run(loaded.model))
