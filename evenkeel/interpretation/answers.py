"""The answers that a language model may give: their JSON schemas and their checks.

The schema that is sent stays within the subset that servers support in strict mode: objects whose
fields are all required, no lengths, no ranges. Those are checked here, on what came back.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

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


Line = Annotated[str, AfterValidator(_one_line)]


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ExplanationAnswer(Answer):
    """What the explainer returns."""

    explanation: Line
    label: Annotated[Line, AfterValidator(_short)]
    about_axis: Axis | Literal["none"]
    confidence: Annotated[float, AfterValidator(_share)]
    evidence: list[Line]


class Verdict(Answer):
    """What the judge returns of one context."""

    context: int
    activates: bool


class JudgeAnswer(Answer):
    """What the judge returns."""

    verdicts: list[Verdict]


class Match(Answer):
    """A feature that fits a question."""

    feature: int
    reason: Line


class AskAnswer(Answer):
    """What is returned for a free-form question."""

    matches: list[Match]


def response_format(answer: type[Answer]) -> dict[str, Any]:
    """The `response_format` of a request whose answer must be an `answer`."""
    schema = {"name": answer.__name__, "strict": True, "schema": answer.model_json_schema()}
    return {"type": "json_schema", "json_schema": schema}
