"""What came back from a language model: first as it came, then checked."""

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from evenkeel.datasets.records import Record
from evenkeel.interpretation.answers import Answer
from evenkeel.interpretation.error_bodies import ErrorBody, one_line, read_error_body
from evenkeel.interpretation.json_objects import find_objects, whole_object
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.usage import ReportedUsage, read_usage

AnswerT = TypeVar("AnswerT", bound=Answer)


class Reply(Record):
    """What a model answered, before anybody has checked that it is an answer."""

    content: str | None
    refusal: str | None
    finish_reason: str | None
    usage: ReportedUsage | None


class NotACompletionError(ValueError):
    """The body of a response is no chat completion.

    Args:
        message: what is wrong with it.
        error: what the server says about an error instead, if it does.
        usage: what the server says that it took all the same, if it does.
    """

    def __init__(
        self,
        message: str,
        error: ErrorBody | None = None,
        usage: ReportedUsage | None = None,
    ) -> None:
        super().__init__(message)
        self.error = error
        self.usage = usage


def read_completion(body: object) -> Reply:
    """The first choice of a chat completion that says something.

    Only what is needed is read, in any of the forms in which servers write it: text as a string,
    as parts, or as the JSON object itself; whatever else is there, or is not, does not matter.

    Raises:
        NotACompletionError: `body` holds no choice, or an error in place of one.
    """
    if not isinstance(body, dict):
        raise NotACompletionError("not a JSON object", read_error_body(body))
    usage = read_usage(body.get("usage"))
    choices = body.get("choices")
    choices = [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
    replies = [_reply(choice, usage) for choice in choices if _has_message(choice)]
    speaking = [reply for reply in replies if reply.content or reply.refusal]
    errors = map(read_error_body, [body, *({"error": choice.get("error")} for choice in choices)])
    if (error := next(filter(None, errors), None)) is not None:
        # What is said beside an error is a part of an answer, unless it is whole.
        speaking = [reply for reply in speaking if whole_object(reply.content or "") is not None]
        if not speaking:
            raise NotACompletionError(f"an error: {error.message}", error, usage)
    if not replies:
        raise NotACompletionError("choices: none with a message", usage=usage)
    return (speaking or replies)[0]


def _has_message(choice: dict[str, Any]) -> bool:
    return isinstance(choice.get("message"), dict) or isinstance(choice.get("text"), str)


def _reply(choice: dict[str, Any], usage: ReportedUsage | None) -> Reply:
    message = choice.get("message")
    refusal = message.get("refusal") if isinstance(message, dict) else None
    reason = choice.get("finish_reason")
    return Reply(
        content=_text(choice),
        refusal=refusal if isinstance(refusal, str) else None,
        finish_reason=reason if isinstance(reason, str) else None,
        usage=usage,
    )


def _text(choice: dict[str, Any]) -> str | None:
    """The text of a choice, wherever in its message it stands."""
    message = choice.get("message")
    if not isinstance(message, dict):
        return _joined(choice.get("text"))
    text = _joined(message.get("content"))
    return text if text and text.strip() else _beside_content(message) or text


def _joined(content: object) -> str | None:
    if isinstance(content, dict):
        return json.dumps(content)
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None


def _beside_content(message: dict[str, Any]) -> str | None:
    """The answer of a server that turns a schema into a tool to call, or has parsed it already, or
    takes all that is written for reasoning: this counts if it is one object and nothing else."""
    calls = message.get("tool_calls")
    tools = [each for each in calls if isinstance(each, dict)] if isinstance(calls, list) else []
    functions = [*(each.get("function") for each in tools), message.get("function_call")]
    called = [_joined(each.get("arguments")) for each in functions if isinstance(each, dict)]
    if any(called):
        return "\n".join(filter(None, called))
    others = (_joined(message.get(name)) for name in ("parsed", "reasoning_content", "reasoning"))
    return next((text for text in others if text and whole_object(text) is not None), None)


def read_answer(reply: Reply, answer_type: type[AnswerT]) -> AnswerT | Failure:
    """The answer that a reply holds, or why it holds none.

    A reply that was stopped counts if it is whole all the same. One that holds several answers
    that differ counts as none: which of them is meant is not ours to say.
    """
    if reply.refusal:
        return Failure(kind="refusal", message=one_line(reply.refusal))
    content = reply.content or ""
    if (whole := whole_object(content)) is not None:
        objects = [whole]
    else:
        is_stopped = reply.finish_reason in ("length", "content_filter")
        objects = [] if is_stopped else find_objects(content)
    answers, problem = _valid(objects, answer_type)
    if len(answers) == 1:
        return answers[0]
    if reply.finish_reason == "content_filter":
        message = "the server's content filter stopped the answer"
        return Failure(kind="content_filter", message=message)
    if reply.finish_reason == "length":
        message = "the answer is longer than interpretation.openai.max_output_tokens"
        return Failure(kind="cut_off", message=message)
    if not content.strip():
        return Failure(kind="malformed", message="the answer is empty")
    if len(answers) > 1:
        message = f"holds {len(answers)} answers that differ"
        return Failure(kind="malformed", message=message)
    return Failure(kind="malformed", message=f"not the schema's JSON: {problem}")


def _valid(objects: list[dict[str, Any]], answer_type: type[AnswerT]) -> tuple[list[AnswerT], str]:
    """The distinct answers among `objects`, and what is wrong with the last that is none."""
    answers: list[AnswerT] = []
    problem = "no JSON object in it"
    for candidate in objects:
        inner = list(candidate.values())
        is_wrapped = len(inner) == 1 and isinstance(inner[0], dict)
        try:
            answer = answer_type.model_validate(inner[0] if is_wrapped else candidate)
        except ValidationError as error:
            problem = _first(error)
        else:
            if answer not in answers:
                answers.append(answer)
    return answers, problem


def _first(error: ValidationError) -> str:
    """Where the first problem is and what: never the text itself, which may be anything."""
    first = error.errors(include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"])) or "answer"
    return one_line(f"{where}: {first['msg']}")
