"""JSON objects in what a language model wrote: in fences, after its thinking, between sentences.

Nothing is repaired: an object counts as it stands or not at all.
"""

import json
import re
from typing import Any

_MOST_TRIES = 10_000
_THOUGHT_END = re.compile(
    r"</[\w:-]*(?:think|thought|reason|scratchpad|analysis)\w*>|\[/THINK\]|\u25c1/think\u25b7"
    r"|<\|end_of_thought\|>|<\|channel\|>final<\|message\|>",
    re.IGNORECASE,
)


def whole_object(text: str) -> dict[str, Any] | None:
    """The object that `text` is, fence and outer space aside; None if it is no object.

    An object that was written as a string of JSON is that object.
    """
    text = text.strip().lstrip("\ufeff")
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        text = text[text.index("\n") : -3]
    try:
        value = _DECODER.decode(text)
        if isinstance(value, str):
            value = _DECODER.decode(value)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def find_objects(text: str) -> list[dict[str, Any]]:
    """The outermost JSON objects in `text`, in order, without those of a model's thinking.

    Thinking ends with a tag such as </think>; one inside an object's strings ends nothing.
    """
    spans = _spans(text)
    thought_ends = [
        tag.start()
        for tag in _THOUGHT_END.finditer(text)
        if not any(start < tag.start() < end for start, end, _ in spans)
    ]
    spoken_from = max(thought_ends, default=0)
    return [value for start, _, value in spans if start >= spoken_from]


def _spans(text: str) -> list[tuple[int, int, dict[str, Any]]]:
    """Start, end and value of each outermost object."""
    spans = []
    start = text.find("{")
    for _ in range(_MOST_TRIES):
        if start < 0:
            break
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            spans.append((start, end, value))
        start = text.find("{", end)
    return spans


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's fields. One that is given twice, differently, means nothing certain."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if fields.setdefault(name, value) != value:
            raise ValueError(f"{name} is given twice")
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
