"""JSON that every text survives in."""

import json
from typing import Any

from fastapi.responses import JSONResponse


def to_json(content: Any) -> str:
    """Compact JSON in ASCII: half of a surrogate pair, which a model may write, cannot be UTF-8."""
    return json.dumps(content, allow_nan=False, separators=(",", ":"))


class AsciiJson(JSONResponse):
    """An answer in `to_json`."""

    def render(self, content: Any) -> bytes:
        return to_json(content).encode("ascii")
