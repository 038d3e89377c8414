"""The account of one run: what may still be asked, what was paid, where answers are kept."""

from evenkeel.interpretation.cache import RequestCache
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import Reply
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.usage import Budget, Ledger, LedgerEntry, Prices
from evenkeel.params import ChatParams


class Account:
    """A budget, a ledger and a cache that are always changed together. Safe to share by threads.

    Every request goes through `reserve` and then one of `keep`, `lose` and `release`.
    """

    def __init__(self, params: ChatParams, cache: RequestCache, ledger: Ledger) -> None:
        self.params = params
        self.cache = cache
        self.ledger = ledger
        self.budget = Budget(params.budget_usd)
        self.prices = Prices.of(params.usd_per_million_tokens, params.batch)

    def reserve(self, request: Request) -> bool:
        """Set aside the most that `request` can cost; False if the budget does not allow that."""
        return self.budget.reserve(self._most(request))

    def keep(self, request: Request, reply: Reply, reserved: bool = True) -> None:
        """Keep an answer and book what it cost: its upper bound where the server does not say."""
        self.cache.put(request, reply)
        self._book(request, reply, self._most(request) if reserved else 0.0)

    def lose(self, request: Request) -> None:
        """Book the upper bound of a request without an answer that may be charged all the same."""
        self._book(request, None, self._most(request))

    def release(self, request: Request) -> None:
        """Put back what was set aside: nothing is charged."""
        self.budget.settle(self._most(request), 0.0)

    def beyond_budget(self) -> Failure:
        """What becomes of a request that is not made."""
        return Failure(
            kind="budget",
            message=f"not asked: could pass the budget of ${self.budget.limit:g} "
            "(interpretation.openai.budget_usd)",
        )

    def _most(self, request: Request) -> float:
        return self.prices.cost(request.most)

    def _book(self, request: Request, reply: Reply | None, reserved: float) -> None:
        usage = reply.usage if reply else None
        usd = self.prices.cost(usage or request.most)
        self.budget.settle(reserved, usd)
        self.ledger.append(
            LedgerEntry(
                key=request.key,
                purpose=request.purpose,
                model=self.params.model,
                outcome="answered" if reply else "unanswered",
                usage=usage,
                usd=usd,
            )
        )
