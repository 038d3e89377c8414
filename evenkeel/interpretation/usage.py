"""Tokens and what they cost: as a server reports them, and at most."""

import math
import threading
from dataclasses import dataclass

from evenkeel.datasets.records import Record
from evenkeel.params import PriceParams

_MOST_TOKENS = 10**12
"""What is reported beyond this is no count of tokens."""


class Usage(Record):
    """Tokens of a request and of its answer."""

    prompt_tokens: int
    completion_tokens: int


class ReportedUsage(Record):
    """Tokens as the server counts them, as far as it says."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    """Only where neither of the others is known."""

    @property
    def is_complete(self) -> bool:
        """Whether both counts are known."""
        return self.prompt_tokens is not None and self.completion_tokens is not None

    def bounded(self, most: Usage) -> Usage:
        """The least upper bound that is known: what was reported, else `most`."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        if self.total_tokens is not None:
            prompt = min(self.total_tokens, most.prompt_tokens)
            completion = max(
                min(self.total_tokens, most.completion_tokens), self.total_tokens - prompt
            )
        return Usage(
            prompt_tokens=most.prompt_tokens if prompt is None else prompt,
            completion_tokens=most.completion_tokens if completion is None else completion,
        )


def read_usage(raw: object) -> ReportedUsage | None:
    """The `usage` of a response, whatever its shape; None if it says nothing.

    Fractions are rounded up, numbers in strings are read, and a total beyond the sum of its parts
    counts as tokens of the answer (servers that report reasoning apart do so). What is negative,
    not finite or of another type counts as not reported.
    """
    if not isinstance(raw, dict):
        return None
    prompt = _first_count(raw, "prompt_tokens", "input_tokens")
    completion = _first_count(raw, "completion_tokens", "output_tokens")
    total = _first_count(raw, "total_tokens")
    if total is not None:
        if prompt is not None:
            completion = max(completion or 0, total - prompt)
        elif completion is not None:
            prompt = max(total - completion, 0)
        else:
            return ReportedUsage(total_tokens=total)
    if prompt is None and completion is None:
        return None
    return ReportedUsage(prompt_tokens=prompt, completion_tokens=completion)


def _first_count(raw: dict[object, object], *names: str) -> int | None:
    return next((count for name in names if (count := _count(raw.get(name))) is not None), None)


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return math.ceil(number) if 0 <= number <= _MOST_TOKENS else None


@dataclass(frozen=True)
class Prices:
    """US dollars per token."""

    input: float
    output: float

    @classmethod
    def of(cls, params: PriceParams, batch: bool) -> "Prices":
        """The prices of params.yaml, with the rebate of the Batch API if that is used."""
        unit = (params.batch_factor if batch else 1.0) / 1e6
        return cls(params.input * unit, params.output * unit)

    def cost(self, usage: Usage) -> float:
        """US dollars for so many tokens."""
        return self.input * usage.prompt_tokens + self.output * usage.completion_tokens


class Budget:
    """Spending that cannot pass a limit: what a request can cost is set aside before it is made.

    Safe to share between threads.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.spent = 0.0
        self._reserved = 0.0
        self._lock = threading.Lock()

    def reserve(self, usd: float) -> bool:
        """Set `usd` aside; False if spending it could pass the limit."""
        with self._lock:
            if self.spent + self._reserved + usd > self.limit:
                return False
            self._reserved += usd
            return True

    def settle(self, reserved: float, spent: float) -> None:
        """Put back what was set aside and book what was spent of it."""
        with self._lock:
            self._reserved -= reserved
            self.spent += spent
