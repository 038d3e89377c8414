"""How much one server takes on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is refused, and with which status, when a request asks for more."""

    rows: int = 16
    """Texts that run together; a request for more at once is refused (400)."""
    queue: int = 64
    """Requests that wait for a row; more are refused (429)."""
    tokens: int = 1024
    """New tokens of one text (400)."""
    body: int = 1_000_000
    """Bytes of a request (413)."""
    seconds: float = 120.0
    """From a request's arrival to its last token (504)."""
