"""A grammar of what servers send: status x headers x timing x body x usage, and answers in it."""

import json
import math
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.interpretation.cases import KEY
from tests.interpretation.server import Response

REASON = "it says so \u2028 there"
ANSWER = {"matches": [{"feature": 1, "reason": REASON}]}


@dataclass(frozen=True)
class Move:
    """One response, and what must become of it."""

    response: Response
    tokens: float
    """Prompt and completion tokens that it reports, as a lower bound of what must be booked."""
    is_answer: bool
    """Whether it holds an answer that can be read."""


counts = st.one_of(
    st.integers(0, 3000),
    st.floats(0, 3000),
    st.integers(0, 3000).map(str),
    st.none(),
    st.just("many"),
    st.booleans(),
    st.integers(-5, -1),
    st.sampled_from([math.inf, math.nan, [3], {}, 10**400, ""]),
)
names = st.sampled_from(
    ["prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cost"]
)
usages = st.one_of(
    st.none(),
    st.sampled_from([{}, [], "none", 3, [{"prompt_tokens": 3}]]),
    st.dictionaries(names, counts),
)


def reported(usage: Any) -> float:
    """Tokens that a usage reports in so many words."""
    if not isinstance(usage, dict):
        return 0.0

    def count(*keys: str) -> float:
        for key in keys:
            value: Any = usage.get(key)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if (number and 0 <= value <= 10**12) or (isinstance(value, str) and value.isdigit()):
                return float(value)
        return 0.0

    parts = count("prompt_tokens", "input_tokens") + count("completion_tokens", "output_tokens")
    return max(parts, count("total_tokens"))


def fenced(text: str) -> st.SearchStrategy[str]:
    """The same answer as servers write it that take no heed of a schema."""
    thoughts = st.sampled_from(["hm {", 'a draft: {"matches": []}', "{} \u2028", "<b>"])
    before = st.one_of(
        st.just(""),
        st.just("\ufeff \n"),
        st.just("Sure! Here {it} is:\n"),
        thoughts.map(lambda thought: f"<think>{thought}</think>\n"),
        thoughts.map(lambda thought: f"[THINK]{thought}[/THINK]"),
        thoughts.map(lambda thought: f"\u25c1think\u25b7{thought}\u25c1/think\u25b7"),
        thoughts.map(lambda thought: f"<seed:think>{thought}</seed:think>"),
        thoughts.map(
            lambda thought: (
                f"<|channel|>analysis<|message|>{thought}<|end|>"
                "<|start|>assistant<|channel|>final<|message|>"
            )
        ),
        thoughts.map(lambda thought: f"{thought}</think>\n\n"),
    )
    fences = st.sampled_from([("", ""), ("```json\n", "\n```"), ("```\n", "```")])
    after = st.sampled_from(["", "\n", "\nAnything else?", "<|end_of_text|>", "</s>"])
    return st.builds(lambda b, f, a: b + f[0] + text + f[1] + a, before, fences, after)


@st.composite
def answers(draw: st.DrawFn) -> str:
    """ANSWER in any of the ways in which it is still that and nothing else."""
    feature = draw(st.sampled_from([1, "1", 1.0, " 1 "]))
    match = {"feature": feature, "reason": REASON}
    extra = draw(st.sampled_from([{}, {"note": "x", "n": [1, {}]}]))
    value: Any = {"matches": [match | extra]} | extra
    if draw(st.booleans()):
        value = {"AskAnswer": value}
    if draw(st.booleans()):
        return json.dumps(ANSWER)
    return draw(fenced(json.dumps(value, ensure_ascii=draw(st.booleans()))))


no_answers = st.sampled_from(
    ["", "I would rather not.", '{"matches": [{"feature": 1, "rea', "[]", "null", KEY, '{"matches"']
)


def messages(text: str) -> st.SearchStrategy[dict[str, Any]]:
    """The same text wherever servers put it; reasoning is not among them, unless it is whole."""
    plain = json.dumps(ANSWER)
    called = {"name": "AskAnswer", "arguments": text}
    places: list[dict[str, Any]] = [
        {"content": text},
        {"content": [{"type": "text", "text": text}]},
        {"content": text or "none", "tool_calls": [], "reasoning_content": plain},
        {"content": None, "tool_calls": [{"type": "function", "function": called}]},
        {"content": "", "function_call": called},
        {"function_call": called, "reasoning_content": "I had better call it."},
    ]
    if text == plain:
        places += [
            {"content": None, "parsed": ANSWER},
            {"content": " ", "reasoning_content": text},
            {"reasoning": f"```json\n{text}\n```"},
            {"content": json.dumps(text)},
            {"tool_calls": [{"function": {"arguments": ANSWER}}, {"function": None}, 3]},
        ]
    return st.sampled_from(places)


@st.composite
def completions(draw: st.DrawFn) -> Move:
    """A chat completion, well-formed or nearly so."""
    is_answer = draw(st.booleans())
    text = draw(answers() if is_answer else no_answers)
    message = draw(messages(text))
    choice: dict[str, Any] = {"message": {"role": "assistant"} | message}
    choice |= draw(st.sampled_from([{}, {"finish_reason": "stop"}, {"finish_reason": 3}]))
    body: dict[str, Any] = {"choices": [choice]}
    body |= draw(st.sampled_from([{}, {"error": None}, {"id": KEY}, {"created": "now"}]))
    usage = draw(usages)
    if draw(st.booleans()):
        body["usage"] = usage
    else:
        usage = None
    return Move(Response(body), reported(usage), is_answer)


words = st.sampled_from(
    [
        "overloaded",
        f"Bearer {KEY} is over its limit",
        "maximum context length is 3 tokens",
        "your input was flagged by moderation",
        "\x1b[2J <b>Bad gateway</b>",
        "",
    ]
)
codes = st.one_of(st.none(), st.sampled_from([429, "503", "server_error", "content_filter", 400]))
errors = st.one_of(
    st.builds(lambda m, c: {"error": {"message": m, "code": c}}, words, codes),
    st.builds(lambda m: {"error": m}, words),
    st.builds(lambda m: {"detail": [{"msg": m}]}, words),
    st.builds(lambda m: {"object": "error", "message": m}, words),
    st.builds(lambda m: {"choices": [{"error": {"message": m, "code": 502}}]}, words),
    st.builds(lambda m, c: {"error": {"message": m, "code": c}, "choices": []}, words, codes),
)


@st.composite
def failures(draw: st.DrawFn) -> Move:
    """An error with any status, 200 included, whose body may still report tokens."""
    status = draw(st.sampled_from([200, 200, 400, 403, 408, 409, 413, 422, 429, 500, 503, 529]))
    body = draw(errors)
    usage = draw(st.one_of(st.none(), usages))
    if usage is not None:
        body = body | {"usage": usage}
    headers = draw(
        st.sampled_from(
            [
                {},
                {"Retry-After": "0"},
                {"Retry-After": "300"},
                {"Retry-After": "nan"},
                {"Retry-After": "soon"},
                {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"},
                {"X-Echo": KEY},
            ]
        )
    )
    return Move(Response(body, status, headers), reported(usage), False)


garbage = st.builds(
    lambda body, status, promised: Move(Response(body, status, promised=promised), 0.0, False),
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"", b"[" * 5000, b'{"choices": [{"mess', f"<p>{KEY}</p>".encode()]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["choices", "error", "usage", "message", "content"]), inner
                )
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    ),
    st.sampled_from([200, 200, 400, 500]),
    st.sampled_from([0, 0, 0, 50]),
)
slow = st.just(Move(Response({}, delay=1.2), 0.0, False))
moves = st.one_of(*[completions()] * 5, *[failures()] * 3, garbage, garbage, slow)
