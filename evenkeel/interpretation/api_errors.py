"""What can go wrong with a request, in plain values.

An exception of the client holds the request and with it the API key. It is read here and dropped:
nothing that outlives this module refers to it.
"""

import email.utils
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import openai

from evenkeel.interpretation.error_bodies import ErrorBody, one_line, read_error_body
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import NotACompletionError, Reply, read_completion
from evenkeel.interpretation.response_json import parse_response
from evenkeel.interpretation.secret import VARIABLE, Secret
from evenkeel.interpretation.usage import ReportedUsage, read_usage

LONGEST_WAIT = 120.0
"""Seconds. A server that asks for more is not waited for."""

_RETRIED = frozenset({408, 409, 425, 429})
_FILTERED = frozenset({None, 400, 403, 406, 422, 451})
"""Statuses with which servers turn an input away for what it says."""
_WORDLESS = "no more is said"
_SETUP = {
    401: f"refuses the API key; check {VARIABLE}",
    402: f"has no credit left for {VARIABLE}",
    404: "does not know this model or path; check interpretation.openai.model and base_url",
}


@dataclass(frozen=True)
class ApiError:
    """An attempt that brought no answer."""

    failure: Failure
    retry: bool = False
    wait: float | None = None
    """Seconds that the server asks to wait."""
    may_be_billed: bool = False
    """Whether the server may charge for it all the same."""
    ends_run: bool = False
    """No other request would fare better."""
    usage: ReportedUsage | None = None
    """What the server says that it took all the same."""


def of_exception(error: openai.OpenAIError, secret: Secret) -> ApiError:
    """What an exception of the client comes to. No text of it or of the server holds the key."""
    if isinstance(error, openai.APITimeoutError) and not _never_connected(error):
        failure = Failure(kind="timeout", message="no answer within the time limit")
        return ApiError(failure, retry=True, may_be_billed=True)
    if isinstance(error, openai.APIConnectionError):
        if _never_connected(error):
            failure = Failure(kind="server", message="cannot be reached")
            return ApiError(failure, retry=True, ends_run=True)
        message = f"the connection broke ({type(error.__cause__).__name__})"
        return ApiError(Failure(kind="server", message=message), retry=True, may_be_billed=True)
    if isinstance(error, openai.APIStatusError):
        return of_response(error.status_code, error.response.text, error.response.headers, secret)
    message = f"the client gave up ({type(error).__name__})"
    return ApiError(Failure(kind="server", message=message))


def of_response(status: int, text: str, headers: Mapping[str, str], secret: Secret) -> ApiError:
    """What a response with an error status comes to."""
    try:
        body = parse_response(text, secret)
    except ValueError:
        words, usage = ErrorBody(one_line(secret.scrub(text)) or _WORDLESS), None
    else:
        words = read_error_body(body, is_error=True) or ErrorBody(_WORDLESS)
        usage = read_usage(body.get("usage")) if isinstance(body, dict) else None
    return _waiting(of_words(words, status), headers, usage)


def of_success(text: str, headers: Mapping[str, str], secret: Secret) -> Reply | ApiError:
    """What a response with status 200 comes to: some servers send errors so."""
    try:
        body = parse_response(text, secret)
    except ValueError as error:
        return unreadable(NotACompletionError(f"not JSON ({error})"))
    try:
        return read_completion(body)
    except NotACompletionError as error:
        return _waiting(unreadable(error), headers, error.usage)


def unreadable(error: NotACompletionError) -> ApiError:
    """What a body that holds no answer comes to."""
    if error.error is not None:
        return replace(of_words(error.error), usage=error.usage)
    failure = Failure(kind="server", message=one_line(f"no chat completion came back: {error}"))
    return ApiError(failure, may_be_billed=True, usage=error.usage)


def _waiting(error: ApiError, headers: Mapping[str, str], usage: ReportedUsage | None) -> ApiError:
    wait = _retry_after(headers)
    retry = error.retry and (wait or 0) <= LONGEST_WAIT
    return replace(error, wait=wait, retry=retry, usage=usage)


def of_words(words: ErrorBody, status: int | None = None) -> ApiError:
    """What a server's words about an error come to.

    Args:
        words: as they came in a body.
        status: of HTTP, if it says anything: servers also send errors with status 200, and in the
            lines of a batch. Then the status or the code that the words hold decides.
    """
    status = status if status is not None and status >= 300 else words.status
    message = f"HTTP {status}: {words.message}" if status else words.message
    if status in _FILTERED and words.is_content_filter:
        return ApiError(Failure(kind="content_filter", message=message))
    if words.is_quota:
        return ApiError(Failure(kind="server", message=message), ends_run=True)
    if status == 401:
        # The server's own words are left out: some repeat part of the key.
        return ApiError(Failure(kind="server", message=f"{_SETUP[401]} (HTTP 401)"), ends_run=True)
    if status in _SETUP:
        failure = Failure(kind="server", message=f"{_SETUP[status]} ({message})")
        return ApiError(failure, ends_run=True)
    if status == 403:
        hint = f"forbids this; check what {VARIABLE} may do ({message})"
        return ApiError(Failure(kind="server", message=hint))
    if status is None:
        is_permanent = words.is_permanent
    else:
        is_permanent = 400 <= status < 500 and status not in _RETRIED
    if is_permanent:
        return ApiError(Failure(kind="rejected", message=message))
    retry = status is None or status in _RETRIED or status >= 500
    return ApiError(Failure(kind="server", message=message), retry=retry)


def end_of_run(failure: Failure, base_url: str) -> str:
    """The message of an error that ends the run."""
    return (
        f"{base_url}: {failure.message}; answers until now are kept, so that a rerun goes on from "
        "here. To do without a server, set the stage's backend in params.yaml to offline"
    )


def _never_connected(error: openai.APIConnectionError) -> bool:
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The Retry-After header in seconds: given as a number or as a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError, OSError):
            return None
    return None if math.isnan(seconds) else max(seconds, 0.0)
