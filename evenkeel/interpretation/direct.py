"""Requests made one by one, several at once, each with its retries.

The retries of the `openai` package are off: an attempt that timed out may be charged for, so each
has to fit the budget, and the package does not tell how many it made.
"""

import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import openai

from evenkeel.errors import BadInputError
from evenkeel.interpretation.account import Account
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import NotACompletionError, Reply, read_completion
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.secret import Secret
from evenkeel.interpretation.setbacks import Setback, explain_stop, understand


@dataclass(frozen=True)
class Backoff:
    """How long to wait before an attempt: `first` * 2^n seconds, less a random part of a half."""

    first: float = 0.5
    longest: float = 30.0

    def seconds(self, retries: int) -> float:
        """The wait before retry number `retries`, counted from 0."""
        return min(self.first * 2.0**retries, self.longest) * random.uniform(0.5, 1)


class DirectSender:
    """Asks over `client`, `concurrency` requests at a time."""

    def __init__(
        self, client: openai.OpenAI, secret: Secret, account: Account, backoff: Backoff
    ) -> None:
        self._client = client
        self._secret = secret
        self._account = account
        self._backoff = backoff

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Reply | Failure]]:
        """Ask what has been reserved; outcomes come as they arrive, and are booked by then.

        Raises:
            BadInputError: no request can succeed (no network, wrong key, unknown model).
        """
        stop = threading.Event()
        futures: dict[Future[Reply | Failure], Request] = {}
        pool = ThreadPoolExecutor(max_workers=self._account.params.concurrency)
        try:
            futures |= {pool.submit(self._ask, request, stop): request for request in requests}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            # After an error or Ctrl-C: no further attempts, but what is under way is awaited, since
            # it is paid for.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            for future, request in futures.items():
                if future.cancelled():
                    self._account.release(request)

    def _ask(self, request: Request, stop: threading.Event) -> Reply | Failure:
        params = self._account.params
        for attempt in range(params.max_retries + 1):
            outcome = self._attempt(request)
            if isinstance(outcome, Reply):
                self._account.keep(request, outcome)
                return outcome
            if outcome.billed:
                self._account.lose(request)
            else:
                self._account.release(request)
            if attempt == params.max_retries or not outcome.retry:
                if outcome.stops_everything:
                    raise BadInputError(explain_stop(outcome.failure, params.base_url))
                return outcome.failure
            wait = outcome.wait if outcome.wait is not None else self._backoff.seconds(attempt)
            if stop.wait(wait):
                return outcome.failure
            if not self._account.reserve(request):
                return self._account.beyond_budget()
        raise AssertionError("the last attempt returns")

    def _attempt(self, request: Request) -> Reply | Setback:
        try:
            response = self._client.chat.completions.with_raw_response.create(**request.body)
        except openai.OpenAIError as error:
            return understand(error, self._secret)
        try:
            return read_completion(self._secret.scrub(response.text))
        except NotACompletionError as error:
            failure = Failure(kind="malformed", message=f"no chat completion came back: {error}")
            return Setback(failure, billed=True)
