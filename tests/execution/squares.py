"""A job that needs nothing but a moment, importable by the workers of every executor."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from evenkeel.errors import BadInputError


@dataclass(frozen=True)
class Squares:
    """Squares numbers; 13 is refused, and 666 kills who is given it."""

    refused_when_opened: str = ""

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], int]]:
        if self.refused_when_opened:
            raise BadInputError(self.refused_when_opened)
        yield _square


def _square(number: int) -> int:
    if number == 13:
        raise BadInputError("13 is refused")
    if number == 666:
        os._exit(1)
    return number * number
