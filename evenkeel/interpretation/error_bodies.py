"""What a server says about an error, in the many shapes in which servers say it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_LONGEST = 200
_CONTENT_FILTER = re.compile(
    r"content.{0,3}(filter|policy|management|moderation|exists.risk)|moderation|moderated|flagged"
    r"|safety|unsafe|responsible.?ai|inappropriate|prohibited.content|data.?inspection|guardrail"
    r"|harmful|sensitive.content|violat\w+ .{0,40}polic",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"insufficient.(quota|balance|credit|funds)|billing.(hard.limit|not.active)", re.IGNORECASE
)
_PERMANENT = re.compile(
    r"invalid.?request|context.?length|context.window|maximum.context|too.long|not.supported"
    r"|unsupported|does not exist|not.found|invalid.(param|model|value|type)|bad.request",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ErrorBody:
    """An error as a server words it. No text of it holds a line break or a control character."""

    message: str
    """At most 200 characters, for people."""
    words: str = ""
    """Every string of it, for telling one kind from another."""
    status: int | None = None
    """An HTTP status that it names in its body."""

    @property
    def is_content_filter(self) -> bool:
        """Whether the input was turned away for what it says."""
        return bool(_CONTENT_FILTER.search(self.words or self.message))

    @property
    def is_quota(self) -> bool:
        """Whether there is nothing left to pay with."""
        return self.status == 402 or bool(_QUOTA.search(self.words or self.message))

    @property
    def is_permanent(self) -> bool:
        """Whether the same request would fail again, as far as words without a status show."""
        return bool(_PERMANENT.search(self.words or self.message))


def read_error_body(raw: object, is_error: bool = False) -> ErrorBody | None:
    """The error that a JSON body reports; None if it reports none.

    Args:
        raw: the body.
        is_error: the body is known to be about an error: whatever it holds is its words.
    """
    if isinstance(raw, dict):
        content = raw.get("error") or raw.get("errors")
        if not content and not raw.get("choices"):
            is_named = raw.get("object") == "error" or raw.get("type") == "error"
            wordings = ("message", "detail", "msg", "error_msg")
            worded = any(raw.get(name) for name in wordings)
            content = raw if is_error or is_named or worded else None
    else:
        content = raw if is_error else None
    if not content:
        return None
    strings = list(_strings(content))
    return ErrorBody(
        message=_message(content) or one_line(json.dumps(content)),
        words=" ".join(strings)[:10_000],
        status=_status(content),
    )


def one_line(text: str) -> str:
    """At most 200 characters of `text` on one line, without control characters and HTML tags."""
    text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:_LONGEST]


def _message(content: object) -> str:
    """The words that are meant for people: the innermost message, and the reasons given."""
    if isinstance(content, str):
        return one_line(content)
    if isinstance(content, list):
        return one_line("; ".join(filter(None, map(_message, content))))
    if not isinstance(content, dict):
        return ""
    named = ("message", "detail", "msg", "error_msg", "error", "data", "errors", "code", "type")
    message = next((text for name in named if (text := _message(content.get(name)))), "")
    metadata = content.get("metadata")
    reasons = metadata.get("reasons") if isinstance(metadata, dict) else None
    if isinstance(reasons, list):
        message += f" ({', '.join(map(str, reasons))})"
    return one_line(message)


def _status(content: object) -> int | None:
    if not isinstance(content, dict):
        return None
    for name in ("status_code", "status", "code", "http_status"):
        value = content.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        if re.fullmatch(r"[3-5]\d\d(\.0)?", str(value)):
            return int(float(value))
    return None


def _strings(content: object) -> Iterator[str]:
    """Every string of a JSON value, and the names of what is true."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for item in content:
            yield from _strings(item)
    elif isinstance(content, dict):
        for name, value in content.items():
            if value is True:
                yield name
            yield from _strings(value)
