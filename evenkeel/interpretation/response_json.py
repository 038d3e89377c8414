"""The JSON that a server sent, without the API key and without what Python cannot keep as text."""

import json
from typing import Any

from evenkeel.interpretation.secret import Secret

_DEEPEST = 100


def parse_response(text: str, secret: Secret) -> Any:
    """Parse a body or a line of one.

    Every string of the result is scrubbed of the key, as it reads after its escapes are resolved,
    and of half surrogate pairs, which no file can hold. Integers too long to be meant become inf.

    Raises:
        ValueError: `text` is no JSON, or is nested too deeply.
    """
    try:
        return _clean(json.loads(text.lstrip("\ufeff"), parse_int=_integer), secret)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 100 else float(digits)


def _clean(value: Any, secret: Secret, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return secret.scrub(value.encode("utf-8", "replace").decode())
    if isinstance(value, list):
        return [_clean(item, secret, depth + 1) for item in value]
    if isinstance(value, dict):
        return {
            _clean(name, secret, depth): _clean(item, secret, depth + 1)
            for name, item in value.items()
        }
    return value
