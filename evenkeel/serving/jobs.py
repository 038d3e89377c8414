"""What the engine is asked for, and what it tells back while it works."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from evenkeel.serving.batch import Drawn, Row
from evenkeel.serving.text import TextStream

Finish = Literal["stop", "length"]


class TooBusyError(Exception):
    """The queue is full, or the server is ending."""


class OutOfTimeError(Exception):
    """A request was not done in the time that the server allows."""


class EngineError(Exception):
    """A fault of ours ended a request; the log has it."""


@dataclass(frozen=True)
class Piece:
    """What came of one token of one text."""

    index: int
    """Which text of the request."""
    text: str
    """That is certain now; it may be empty."""
    drawn: Drawn | None
    """The token; None for one that ends a text and is not part of it."""
    finish: Finish | None = None


@dataclass(eq=False)
class Choice:
    """One text of a job."""

    row: Row
    text: TextStream
    most: int
    """New tokens."""
    ends: frozenset[int] = frozenset()
    """Tokens that end it."""
    finish: Finish | None = None

    def take(self, index: int, drawn: Drawn) -> Piece:
        """Account for the token that the row has just got."""
        ended = drawn.token in self.ends
        text = "" if ended else self.text.add(drawn.token)
        if ended or self.text.stopped:
            self.finish = "stop"
        elif len(self.row.ids) >= self.most:
            self.finish = "length"
        if self.finish:
            text += self.text.end()
        return Piece(index, text, None if ended else drawn, self.finish)


@dataclass(eq=False)
class Job:
    """The texts of one request, which are admitted together."""

    choices: Sequence[Choice]
    deadline: float
    """By `time.monotonic`."""
    events: "asyncio.Queue[Piece | Exception]" = field(default_factory=asyncio.Queue)
    cancelled: bool = False
    """Set by whoever asked, who has gone; the rows are then free at the next step."""
    begun: float = field(default_factory=time.monotonic)

    @property
    def prompt_tokens(self) -> int:
        return sum(len(choice.row.prompt) for choice in self.choices)

    @property
    def done(self) -> bool:
        return all(choice.finish for choice in self.choices)
