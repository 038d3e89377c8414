"""The ledger: every attempt is written down before it goes out, and again when it has ended."""

import fcntl
import json
import logging
import os
import threading
import uuid
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from evenkeel.datasets.records import Record
from evenkeel.errors import BadInputError
from evenkeel.interpretation.usage import ReportedUsage

logger = logging.getLogger(__name__)


class LedgerEntry(Record):
    """One line. The last line of an attempt is what became of it."""

    attempt: str = ""
    """Names the attempt. Lines of early versions have none, and are attempts by themselves."""
    run: str = ""
    """Names the process that made it."""
    key: str
    """Content hash of the request: the name of its file in the cache."""
    purpose: str
    model: str
    outcome: Literal["asked", "in_batch", "answered", "unanswered", "not_charged", "maybe_paid"]
    """asked: on its way; if no other line follows, the run was killed and it may be paid.
    in_batch: the same, in a batch that is noted in batches/.
    answered: paid for.
    unanswered: timed out or garbled; the server may charge for it, so its limit is booked.
    not_charged: turned away.
    maybe_paid: its run was killed while it was on its way; its limit is booked."""
    usage: ReportedUsage | None
    """As reported by the server; without a report the request's upper bound is booked."""
    usd: float
    """What is booked: while it is on its way, the most that it can cost."""


class Ledger:
    """An append-only JSONL file: each append is one write that is on the disk when it returns.

    A process holds a lock in `runs/` from its first entry to its end, however it ends. So another
    process can tell a request that is still on its way from one whose process was killed.

    Args:
        path: the file; the folder `runs` lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = uuid.uuid4().hex
        self._runs = path.with_name("runs")
        self._holds_lock = False
        self._appending = threading.Lock()

    def append(self, entries: Iterable[LedgerEntry]) -> None:
        """Add lines: all of them or, if the machine fails, none that anybody can read."""
        lines = [json.dumps(entry.model_dump(mode="json"), sort_keys=True) for entry in entries]
        with self._appending:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self._holds_lock:
                self._hold_lock()
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                end = os.fstat(handle).st_size
                torn = end and os.pread(handle, 1, end - 1) != b"\n"
                data = ("\n" if torn else "") + "".join(f"{line}\n" for line in lines)
                os.write(handle, data.encode())
                os.fsync(handle)
            finally:
                os.close(handle)

    def outcomes(self) -> list[LedgerEntry]:
        """The last line of every attempt, in the order in which they were made.

        A line that a failing machine cut off is left out: its request had not gone out yet.
        """
        if not self.path.exists():
            return []
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError as error:
            raise BadInputError(f"{self.path}: cannot be read ({error.strerror})") from None
        last: dict[str, LedgerEntry] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                entry = LedgerEntry.model_validate_json(line)
            except ValidationError:
                logger.warning("%s, line %d: cut off or damaged; left out", self.path, number)
                continue
            last[entry.attempt or f"line {number}"] = entry
        return list(last.values())

    def abandoned(self) -> list[LedgerEntry]:
        """Attempts that were on their way when their process was killed."""
        asked = [entry for entry in self.outcomes() if entry.outcome == "asked"]
        dead = {run for run in {entry.run for entry in asked} if not self._is_alive(run)}
        return [entry for entry in asked if entry.run in dead]

    def _hold_lock(self) -> None:
        self._runs.mkdir(parents=True, exist_ok=True)
        path = self._runs / self.run
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(handle, fcntl.LOCK_EX)
        weakref.finalize(self, _let_go, handle, path)
        self._holds_lock = True

    def _is_alive(self, run: str) -> bool:
        path = self._runs / run
        if run == self.run:
            return True
        try:
            handle = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(handle)


def _let_go(handle: int, path: Path) -> None:
    path.unlink(missing_ok=True)
    os.close(handle)
