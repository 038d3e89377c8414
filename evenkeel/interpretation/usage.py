"""What requests cost: tokens, dollars, a budget that holds, and the ledger of what was paid."""

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evenkeel.datasets.records import Record
from evenkeel.params import PriceParams


class Usage(Record):
    """Tokens, as the server counts them."""

    prompt_tokens: int
    completion_tokens: int


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


class LedgerEntry(Record):
    """One request that was paid for, or may have been."""

    key: str
    """Content hash of the request: the name of its file in the cache."""
    purpose: str
    model: str
    outcome: Literal["answered", "unanswered"]
    """unanswered: timed out or garbled; the server may charge for it, so its limit is booked."""
    usage: Usage | None
    """As reported by the server; without a report the request's upper bound is booked."""
    usd: float


class Ledger:
    """An append-only JSONL file, one entry a line; each line is one write, so none is torn."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: LedgerEntry) -> None:
        """Add a line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(entry.model_dump(mode="json"), sort_keys=True) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
