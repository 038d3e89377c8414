"""A job that needs nothing but a moment, importable by the workers of every executor."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evenkeel.errors import BadInputError


@dataclass(frozen=True)
class Squares:
    """Squares numbers; 13 is refused, 666 kills who is given it, and so does 7, once.

    Args:
        refused_when_opened: the message of a job that cannot be opened.
        once: a file that is there when 7 has killed somebody.
    """

    refused_when_opened: str = ""
    once: Path | None = None

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], int]]:
        if self.refused_when_opened:
            raise BadInputError(self.refused_when_opened)
        yield self.square

    def square(self, number: int) -> int:
        if number == 13:
            raise BadInputError("13 is refused")
        if number == 666:
            os._exit(1)
        if number == 7 and self.once and not self.once.exists():
            self.once.touch()
            os._exit(1)
        return number * number


@dataclass(frozen=True)
class Devices:
    """Says which GPUs a worker sees: over them a model with a device_map would be spread."""

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], str]]:
        yield lambda _: os.environ.get("CUDA_VISIBLE_DEVICES", "")
