"""What can go wrong with a request, in plain values.

An exception of the client holds the request and with it the API key. It is read here and dropped:
nothing that outlives this module refers to it.
"""

import email.utils
import time
from dataclasses import dataclass

import openai

from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.secret import VARIABLE, Secret

LONGEST_WAIT = 120.0
"""Seconds. A server that asks for more is not waited for."""

_RETRIED = frozenset({408, 409, 429})
_SETUP = {
    401: f"refuses the API key; check {VARIABLE}",
    403: f"forbids this; check what {VARIABLE} may do",
    404: "does not know this model or path; check interpretation.openai.model and base_url",
}


@dataclass(frozen=True)
class Setback:
    """An attempt that brought no answer."""

    failure: Failure
    retry: bool = False
    wait: float | None = None
    """Seconds that the server asks to wait."""
    billed: bool = False
    """Whether the server may charge for it all the same."""
    stops_everything: bool = False
    """No other request would fare better."""


def understand(error: openai.OpenAIError, secret: Secret) -> Setback:
    """What an error of the client comes to. No text of it or of the server holds the key."""
    if isinstance(error, openai.APITimeoutError) and not _never_connected(error):
        return Setback(
            Failure(kind="timeout", message="no answer within the time limit"),
            retry=True,
            billed=True,
        )
    if isinstance(error, openai.APIConnectionError):
        if _never_connected(error):
            return Setback(
                Failure(kind="server", message="cannot be reached"),
                retry=True,
                stops_everything=True,
            )
        message = f"the connection broke ({type(error.__cause__).__name__})"
        return Setback(Failure(kind="server", message=message), retry=True, billed=True)
    if isinstance(error, openai.APIStatusError):
        return _understand_status(error, secret)
    return Setback(Failure(kind="server", message=f"the client gave up ({type(error).__name__})"))


def explain_stop(failure: Failure, base_url: str) -> str:
    """The message of an error that ends the run."""
    return (
        f"{base_url}: {failure.message}; answers until now are kept, so that a rerun goes on from "
        "here. To do without a server, set interpretation.backend to offline"
    )


def _understand_status(error: openai.APIStatusError, secret: Secret) -> Setback:
    status = error.status_code
    if status in _SETUP:
        # The server's own words are left out: some repeat part of the key.
        failure = Failure(kind="server", message=f"{_SETUP[status]} (HTTP {status})")
        return Setback(failure, stops_everything=True)
    failure = Failure(kind="server", message=f"HTTP {status}: {_say(error, secret)}")
    if error.code == "insufficient_quota":
        return Setback(failure, stops_everything=True)
    wait = _retry_after(error)
    retry = status in _RETRIED or status >= 500
    return Setback(failure, retry=retry and (wait or 0) <= LONGEST_WAIT, wait=wait)


def _say(error: openai.APIStatusError, secret: Secret) -> str:
    text = "".join(c if c.isprintable() else " " for c in secret.scrub(str(error.message)))
    return " ".join(text.split())[:200]


def _never_connected(error: openai.APIConnectionError) -> bool:
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError")


def _retry_after(error: openai.APIStatusError) -> float | None:
    """The Retry-After header in seconds: given as a number or as a date (RFC 9110, 10.2.3)."""
    value = error.response.headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(seconds, 0.0)
