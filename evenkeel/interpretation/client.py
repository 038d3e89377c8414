"""Asking a language model many things: what was asked before costs nothing, and a budget holds."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import openai

from evenkeel.interpretation.account import Account
from evenkeel.interpretation.batches import BatchSender
from evenkeel.interpretation.cache import RequestCache
from evenkeel.interpretation.direct import Backoff, DirectSender
from evenkeel.interpretation.ledger import Ledger
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import Reply
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.secret import Secret
from evenkeel.interpretation.usage import ReportedUsage, Usage
from evenkeel.params import ChatParams
from evenkeel.progress import Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Estimate:
    """What asking would cost, before anything is asked."""

    requests: int
    cached: int
    likely_usd: float
    most_usd: float
    budget_usd: float

    def __str__(self) -> str:
        return (
            f"{self.requests} requests, {self.cached} of them answered before; about "
            f"${self.likely_usd:.4f}, at most ${self.most_usd:.4f} a try; "
            f"budget ${self.budget_usd:g}"
        )


@dataclass(frozen=True)
class Bill:
    """What the answers that were given cost, whenever they were paid for, at today's prices.

    The same for the run that paid and for a rerun from the cache. Attempts without an answer are in
    the ledger only.
    """

    answers: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    without_usage: int
    """Answers of which the server did not say, or not fully, what they took: their upper bounds
    are counted above."""


class ChatClient:
    """A language model behind an OpenAI-compatible API.

    Args:
        params: server, model, limits and prices.
        secret: the API key.
        folder: where answers, batches under way and the ledger are kept for good.
        backoff: the wait between attempts.
    """

    def __init__(
        self, params: ChatParams, secret: Secret, folder: Path, backoff: Backoff | None = None
    ) -> None:
        for name in ("httpx", "httpx2", "httpcore", "httpcore2", "openai"):
            # Their line for every request drowns ours; in their debugging lines are headers.
            logging.getLogger(name).setLevel(logging.WARNING)
        self.params = params
        self.account = Account(params, RequestCache(folder), Ledger(folder / "ledger.jsonl"))
        client = openai.OpenAI(
            api_key=secret.reveal(),
            base_url=params.base_url,
            timeout=params.timeout_seconds,
            max_retries=0,
        )
        self._answered: dict[str, tuple[Request, Reply]] = {}
        self._direct = DirectSender(client, secret, self.account, backoff or Backoff())
        self._batches = BatchSender(client, secret, self.account, folder / "batches")

    def estimate(self, requests: Sequence[Request]) -> Estimate:
        """What `requests` would cost now: nothing for those that were answered before."""
        distinct = {request.key: request for request in requests}
        new = [r for r in distinct.values() if self.account.cache.get(r) is None]
        cost = self.account.prices.cost
        return Estimate(
            requests=len(distinct),
            cached=len(distinct) - len(new),
            likely_usd=sum(cost(request.likely) for request in new),
            most_usd=sum(cost(request.most) for request in new),
            budget_usd=self.account.budget.limit,
        )

    def send(self, requests: Sequence[Request]) -> list[Reply | Failure]:
        """Ask; the outcomes are in the order of `requests`, whichever came first.

        A request that could pass the budget is not made: its outcome is a Failure that says so.

        Raises:
            BadInputError: the server cannot be reached, refuses the key, has no credit left or does
                not know the model. What was answered until then is kept.
        """
        self.account.recover()
        if self.params.batch:
            self._batches.resume()
        outcomes: dict[str, Reply | Failure] = {}
        waiting: dict[str, Request] = {}
        for request in requests:
            if reply := self.account.cache.get(request):
                outcomes[request.key] = reply
            else:
                waiting[request.key] = request
        sender = self._batches if self.params.batch else self._direct
        with Progress(total=len(waiting), desc=self.params.model, unit="request") as bar:
            # In waves: what the answers of one did not use up is there for the next.
            while wave := self._affordable(list(waiting.values())):
                for request, outcome in sender.send(wave):
                    outcomes[request.key] = outcome
                    del waiting[request.key]
                    bar.update()
        if waiting:
            logger.warning(
                "%d requests not made: they could pass the budget of $%g "
                "(interpretation.openai.budget_usd), of which $%.4f is spent",
                len(waiting),
                self.account.budget.limit,
                self.account.budget.spent,
            )
        outcomes |= {key: self.account.beyond_budget() for key in waiting}
        for request in requests:
            outcome = outcomes[request.key]
            if isinstance(outcome, Reply):
                self._answered[request.key] = request, outcome
        return [outcomes[request.key] for request in requests]

    def bill(self) -> Bill:
        """What all answers that this client has given cost."""
        answered = list(self._answered.values())
        reported = [reply.usage or ReportedUsage() for _, reply in answered]
        bounds = [request.most for request, _ in answered]
        usages = [usage.bounded(most) for usage, most in zip(reported, bounds, strict=True)]
        total = Usage(
            prompt_tokens=sum(usage.prompt_tokens for usage in usages),
            completion_tokens=sum(usage.completion_tokens for usage in usages),
        )
        return Bill(
            answers=len(answered),
            prompt_tokens=total.prompt_tokens,
            completion_tokens=total.completion_tokens,
            usd=self.account.prices.cost(total),
            without_usage=sum(not usage.is_complete for usage in reported),
        )

    def _affordable(self, requests: list[Request]) -> list[Request]:
        """The longest beginning that fits the budget at its worst: no race decides who is in."""
        for count, request in enumerate(requests):
            if not self.account.reserve(request):
                return requests[:count]
        return requests
