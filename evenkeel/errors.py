"""The one error that a user's input can cause."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<rest>[^\s'\"<>]*)")
_CREDENTIALS = re.compile(r"[^\s/@:'\"]+:[^\s/@]+@(?=\[|localhost\b|[\w-]+(?:\.[\w-]+)+|[\w-]+:\d)")
_KEY = re.compile(r"\b(?:sk-|hf_|gsk_)[A-Za-z0-9_-]{16,}")


class BadInputError(ValueError):
    """Something a user gave is wrong: the message says what, where, and what to do.

    Stages and the command line print the message on stderr and exit with status 2; every other
    exception is a fault of ours and keeps its traceback. Credentials that a URL of the message
    holds are left out, wherever the URL came from.
    """

    def __init__(self, message: str) -> None:
        super().__init__(without_credentials(message))


class BadTextError(BadInputError):
    """One of many texts is not to be read; the message counts it, and does not know the file."""


@contextmanager
def texts_of_file(path: Path | None) -> Iterator[None]:
    """Name the file, if there is one, in what is wrong with a text while the block runs."""
    try:
        yield
    except BadTextError as error:
        raise BadTextError(f"{path}: {error}" if path else str(error)) from error


def without_credentials(text: str) -> str:
    """`text` without user, password, query and fragment of its URLs, and without API keys."""
    text = _CREDENTIALS.sub("[redacted]@", _URL.sub(_bare, text))
    return _KEY.sub("[redacted]", text)


def _bare(match: re.Match[str]) -> str:
    """The URL of `match`, shortened to scheme, host and path."""
    _, at, rest = match["rest"].rpartition("@")
    rest = re.sub(r"([?#]).*", r"\1[redacted]", rest)
    return match["scheme"] + ("[redacted]@" if at else "") + rest
