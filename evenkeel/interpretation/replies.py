"""What came back from a language model: first as it came, then checked."""

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from evenkeel.datasets.records import Record
from evenkeel.interpretation.answers import Answer
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.usage import Usage

AnswerT = TypeVar("AnswerT", bound=Answer)


class Reply(Record):
    """What a model answered, before anybody has checked that it is an answer."""

    content: str | None
    refusal: str | None
    finish_reason: str | None
    usage: Usage | None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: Usage | None = None


class _ReportedUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int


class NotACompletionError(ValueError):
    """The body of a response is no chat completion."""


def read_completion(body: str | bytes) -> Reply:
    """The first choice of a chat completion.

    Raises:
        NotACompletionError: `body` is cut off, no JSON, or JSON of another shape.
    """
    try:
        raw = json.loads(body)
        if isinstance(raw, dict) and isinstance(raw.get("usage"), dict):
            # Servers report more than we book; what they add may change.
            raw["usage"] = _ReportedUsage.model_validate(raw["usage"]).model_dump()
        completion = _Completion.model_validate(raw)
    except ValidationError as error:
        raise NotACompletionError(_first(error)) from None
    except (ValueError, RecursionError) as error:
        raise NotACompletionError(f"not JSON ({error})") from None
    if not completion.choices:
        raise NotACompletionError("choices: none given")
    choice = completion.choices[0]
    return Reply(
        content=choice.message.content,
        refusal=choice.message.refusal,
        finish_reason=choice.finish_reason,
        usage=completion.usage,
    )


def read_answer(reply: Reply, answer_type: type[AnswerT]) -> AnswerT | Failure:
    """The answer that a reply holds, or why it holds none."""
    if reply.refusal:
        return Failure(kind="refusal", message=_shortened(reply.refusal))
    if reply.finish_reason == "content_filter":
        return Failure(kind="refusal", message="the server's content filter stopped the answer")
    if reply.finish_reason == "length":
        return Failure(
            kind="cut_off",
            message="the answer is longer than interpretation.openai.max_output_tokens",
        )
    if not reply.content:
        return Failure(kind="malformed", message="the answer is empty")
    try:
        return answer_type.model_validate_json(reply.content)
    except ValidationError as error:
        return Failure(kind="malformed", message=f"not the schema's JSON: {_first(error)}")


def _first(error: ValidationError) -> str:
    """Where the first problem is and what: never the text itself, which may be anything."""
    first = error.errors(include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"])) or "answer"
    return _shortened(f"{where}: {first['msg']}")


def _shortened(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:200]
