"""The account of one run: what may still be asked, what was paid, where answers are kept."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evenkeel.interpretation.cache import RequestCache
from evenkeel.interpretation.ledger import Ledger, LedgerEntry
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import Reply
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.usage import Budget, Prices, ReportedUsage, Usage
from evenkeel.params import ChatParams

logger = logging.getLogger(__name__)
_NOTHING = Usage(prompt_tokens=0, completion_tokens=0)


@dataclass(frozen=True)
class Attempt:
    """A request that goes out once: a retry is another attempt."""

    id: str
    request: Request


class Account:
    """A budget, a ledger and a cache that are always changed together. Safe to share by threads.

    Every request goes through `reserve`; then either `release`, or `begin` before it is sent and
    one of `keep` and `close` when it has ended.
    """

    def __init__(self, params: ChatParams, cache: RequestCache, ledger: Ledger) -> None:
        self.params = params
        self.cache = cache
        self.ledger = ledger
        self.budget = Budget(params.budget_usd)
        self.prices = Prices.of(params.usd_per_million_tokens, params.batch)

    def recover(self) -> None:
        """Book what runs that were killed had on its way: it may be paid for, and counts."""
        abandoned = self.ledger.abandoned()
        if not abandoned:
            return
        entries = []
        for entry in abandoned:
            reply = self.cache.find(entry.key)
            usage = reply.usage if reply else None
            complete = usage.bounded(_NOTHING) if usage and usage.is_complete else None
            outcome: Literal["answered", "maybe_paid"] = "answered" if reply else "maybe_paid"
            usd = self.prices.cost(complete) if complete else entry.usd
            entries.append(
                entry.model_copy(
                    update={
                        "run": self.ledger.run,
                        "outcome": outcome,
                        "usage": usage,
                        "usd": usd,
                    }
                )
            )
            self.budget.settle(0.0, usd)
        self.ledger.append(entries)
        logger.warning(
            "%d requests were on their way when a run was killed: up to $%.4f may be paid for "
            "them, which counts towards the budget",
            len(entries),
            sum(entry.usd for entry in entries),
        )

    def reserve(self, request: Request) -> bool:
        """Set aside the most that `request` can cost; False if the budget does not allow that."""
        return self.budget.reserve(self.most(request))

    def release(self, request: Request) -> None:
        """Put back what was set aside for a request that was not sent."""
        self.budget.settle(self.most(request), 0.0)

    def begin(self, requests: Sequence[Request], in_batch: bool = False) -> list[Attempt]:
        """Write down that `requests` are about to be sent: on the disk when this returns."""
        attempts = [Attempt(uuid.uuid4().hex, request) for request in requests]
        outcome: Literal["in_batch", "asked"] = "in_batch" if in_batch else "asked"
        self.ledger.append(
            self._entry(attempt, outcome, None, self.most(attempt.request)) for attempt in attempts
        )
        return attempts

    def keep(self, attempt: Attempt, reply: Reply, reserved: bool = True) -> None:
        """Keep an answer and book what it cost: its upper bound as far as nobody says."""
        self.cache.put(attempt.request, reply)
        usage = (reply.usage or ReportedUsage()).bounded(attempt.request.most)
        self._book(attempt, "answered", reply.usage, self.prices.cost(usage), reserved)

    def close(
        self,
        attempt: Attempt,
        *,
        may_be_billed: bool,
        usage: ReportedUsage | None = None,
        reserved: bool = True,
    ) -> None:
        """Book an attempt without an answer: what the server reports, or else may charge."""
        if may_be_billed:
            cost = self.prices.cost((usage or ReportedUsage()).bounded(attempt.request.most))
            self._book(attempt, "unanswered", usage, cost, reserved)
        elif usage:
            cost = self.prices.cost(usage.bounded(_NOTHING))
            self._book(attempt, "unanswered", usage, cost, reserved)
        else:
            self._book(attempt, "not_charged", None, 0.0, reserved)

    def beyond_budget(self) -> Failure:
        """What becomes of a request that is not made."""
        return Failure(
            kind="budget",
            message=f"not asked: could pass the budget of ${self.budget.limit:g} "
            "(interpretation.openai.budget_usd)",
        )

    def most(self, request: Request) -> float:
        """US dollars that one attempt can cost at most."""
        return self.prices.cost(request.most)

    def _book(
        self,
        attempt: Attempt,
        outcome: Literal["answered", "unanswered", "not_charged"],
        usage: ReportedUsage | None,
        usd: float,
        reserved: bool,
    ) -> None:
        self.budget.settle(self.most(attempt.request) if reserved else 0.0, usd)
        self.ledger.append([self._entry(attempt, outcome, usage, usd)])

    def _entry(
        self,
        attempt: Attempt,
        outcome: Literal["asked", "in_batch", "answered", "unanswered", "not_charged"],
        usage: ReportedUsage | None,
        usd: float,
    ) -> LedgerEntry:
        return LedgerEntry(
            attempt=attempt.id,
            run=self.ledger.run,
            key=attempt.request.key,
            purpose=attempt.request.purpose,
            model=self.params.model,
            outcome=outcome,
            usage=usage,
            usd=usd,
        )
