"""The API key: read from the environment, shown to nobody."""

import html
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from evenkeel.errors import BadInputError

VARIABLE = "OPENAI_API_KEY"
# Of bearer tokens (RFC 6750), and a colon. None of these is escaped in JSON or in a header, so that
# a key that comes back in an answer is found as it is.
_ALLOWED = re.compile(r"[A-Za-z0-9._~+/=:-]+")
_PLACEHOLDER_LENGTH = 8
_PART_LENGTH = 12
"""A part of the key this long is not printed either."""
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(/)")

_SPELLINGS: dict[str, Callable[[str], str]] = {
    "\\": lambda text: _ESCAPE.sub(lambda match: match[2] or chr(int(match[1], 16)), text),
    "%": unquote,
    "&": html.unescape,
}
"""Escapes behind which a server may send a key back, by the character that begins them."""


class Secret:
    """A string that does not show itself when it is printed, logged or part of a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The string itself: for the client that has to send it, and nobody else."""
        return self._value

    def scrub(self, text: str) -> str:
        """`text` without the key and without any part of it of twelve characters or more.

        It is found behind JSON's escapes too (text that was JSON inside JSON still holds them), and
        behind those of URLs and of HTML. What is shorter than a real key is a placeholder ("none")
        for a server that needs none, and may well be a word of the text.
        """
        if len(self._value) < _PLACEHOLDER_LENGTH:
            return text
        text = self._scrub_plain(text)
        for mark, unescaped in _SPELLINGS.items():
            if mark in text:
                plain = unescaped(text)
                scrubbed = self._scrub_plain(plain)
                text = text if scrubbed == plain else scrubbed
        return text

    def _scrub_plain(self, text: str) -> str:
        length = min(_PART_LENGTH, len(self._value))
        parts = {self._value[i : i + length] for i in range(len(self._value) - length + 1)}
        hidden: set[int] = set()
        for part in parts:
            start = text.find(part)
            while start >= 0:
                hidden.update(range(start, start + length))
                start = text.find(part, start + 1)
        if not hidden:
            return text
        return "".join(
            "" if i in hidden and i - 1 in hidden else "[API key]" if i in hidden else character
            for i, character in enumerate(text)
        )

    def __repr__(self) -> str:
        return "Secret(...)"


def read_key(environ: Mapping[str, str], setting: str = "interpretation.backend") -> Secret:
    """The API key in `environ`, which the parameter `setting` asks for.

    Raises:
        BadInputError: there is none, or it holds what no key holds (as when a line break or a
            quote was copied along); the message does not repeat it.
    """
    value = environ.get(VARIABLE, "").strip()
    if not value:
        raise BadInputError(
            f"{setting} is openai but {VARIABLE} is not set; export it (any word will "
            f"do for a local server that needs no key), or set {setting} to offline"
        )
    if not _ALLOWED.fullmatch(value):
        raise BadInputError(
            f"{VARIABLE} holds a character that no API key has, such as a quote, a space or a "
            "line break; export it again"
        )
    return Secret(value)
