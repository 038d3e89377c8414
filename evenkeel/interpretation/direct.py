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
from evenkeel.interpretation.api_errors import ApiError, end_of_run, of_exception, of_success
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import Reply
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.secret import Secret


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
        for retry in range(params.max_retries + 1):
            (attempt,) = self._account.begin([request])
            outcome = self._send(request)
            if isinstance(outcome, Reply):
                self._account.keep(attempt, outcome)
                return outcome
            self._account.close(attempt, may_be_billed=outcome.may_be_billed, usage=outcome.usage)
            if retry == params.max_retries or not outcome.retry:
                if outcome.ends_run:
                    raise BadInputError(end_of_run(outcome.failure, params.base_url))
                return outcome.failure
            wait = outcome.wait if outcome.wait is not None else self._backoff.seconds(retry)
            if stop.wait(wait):
                return outcome.failure
            if not self._account.reserve(request):
                return self._account.beyond_budget()
        raise AssertionError("the last attempt returns")

    def _send(self, request: Request) -> Reply | ApiError:
        try:
            response = self._client.chat.completions.with_raw_response.create(
                **request.body,
                # A server that knows this header gives the answer of the first attempt to a second,
                # and charges for it once: also where a run was killed before it had the answer.
                extra_headers={"Idempotency-Key": request.key},
            )
        except openai.OpenAIError as error:
            return of_exception(error, self._secret)
        return of_success(response.text, response.headers, self._secret)
