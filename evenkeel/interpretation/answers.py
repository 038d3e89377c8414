"""The answers that a language model may give: their JSON schemas and their checks.

The schema that is sent stays within the subset that servers support in strict mode: objects whose
fields are all required, no lengths, no ranges. Those are checked here, on what came back.
"""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from evenkeel.params import Axis


def _one_line(text: str) -> str:
    """Text on one line that is safe to print: an answer is free to hold terminal escapes."""
    text = " ".join(text.split())
    if not text:
        raise ValueError("is empty")
    if not text.isprintable():
        raise ValueError("holds characters that cannot be printed")
    return text


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError("must be between 0 and 1")
    return value


def _short(text: str) -> str:
    if len(text) > 120:
        raise ValueError("is longer than 120 characters")
    return text


def _number(value: Any) -> Any:
    """A number that was written as a string."""
    is_number = isinstance(value, str) and re.fullmatch(r"\s*[+-]?(\d{1,15}\.?\d*|\.\d+)\s*", value)
    return float(value) if is_number else value


def _whole(value: Any) -> Any:
    """A whole number that was written as a string or with a decimal point."""
    value = _number(value)
    is_whole = isinstance(value, float) and math.isfinite(value) and value == int(value)
    return int(value) if is_whole else value


def _flag(value: Any) -> Any:
    """A truth value that was written as a string."""
    return (
        {"true": True, "false": False}.get(value.strip().lower(), value)
        if isinstance(value, str)
        else value
    )


def _printable(value: Any) -> Any:
    """Without items of blanks and control characters: tokens that a model copied as they are."""
    if not isinstance(value, list):
        return value
    return [
        v
        for v in value
        if not isinstance(v, str) or (" ".join(v.split()).isprintable() and v.strip())
    ]


def _axis(value: Any) -> Any:
    """An axis in any case; null is none."""
    return "none" if value is None else value.strip().lower() if isinstance(value, str) else value


Line = Annotated[str, AfterValidator(_one_line)]
Whole = Annotated[int, BeforeValidator(_whole)]


class Answer(BaseModel):
    """An answer. Servers that ignore the schema write more, or other types: what they write is read
    where it can mean one thing only, and what they leave out is never filled in."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_extras(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: field for name, field in value.items() if name in cls.model_fields}


class ExplanationAnswer(Answer):
    """What the explainer returns."""

    explanation: Line
    label: Annotated[Line, AfterValidator(_short)]
    about_axis: Annotated[Axis | Literal["none"], BeforeValidator(_axis)]
    confidence: Annotated[float, BeforeValidator(_number), AfterValidator(_share)]
    evidence: Annotated[list[Line], BeforeValidator(_printable)]


class Verdict(Answer):
    """What the judge returns of one context."""

    context: Whole
    activates: Annotated[bool, BeforeValidator(_flag)]


class JudgeAnswer(Answer):
    """What the judge returns."""

    verdicts: list[Verdict]


class Match(Answer):
    """A feature that fits a question."""

    feature: Whole
    reason: Line


class AskAnswer(Answer):
    """What is returned for a free-form question."""

    matches: list[Match]


def response_format(answer: type[Answer]) -> dict[str, Any]:
    """The `response_format` of a request whose answer must be an `answer`."""
    schema = {"name": answer.__name__, "strict": True, "schema": answer.model_json_schema()}
    return {"type": "json_schema", "json_schema": schema}
