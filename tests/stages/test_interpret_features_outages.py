"""interpret_features over a server that fails: what stops the stage, and what it records."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenkeel.files import read_jsonl
from evenkeel.interpretation.records import Interpretation
from tests.interpretation.server import Response, Server
from tests.interpretation.test_chat import capable, purpose, user
from tests.stages.test_interpret_features import METRICS, OUTPUT, folder, run, serve

__all__ = ["folder", "serve"]
Serve = Callable[..., Server]


def error(status: int, message: str = "no", headers: Any = None, **fields: Any) -> Response:
    return Response({"error": {"message": message, **fields}}, status, headers or {})


OUTAGES = {
    "rate limit of minutes": error(429, "slow down", {"Retry-After": "300"}),
    "overloaded": error(503, "overloaded"),
    "error with status 200": error(200, "overloaded", code=502),
    "unknown parameter": error(400, "unknown parameter: response_format"),
    "forbidden": error(403, "not for this organization"),
    "everything is flagged": error(400, "filtered", code="content_filter"),
    "web page": Response("<html>welcome</html>"),
    "empty": Response(""),
    "JSON of another kind": Response({"status": "ok"}),
}


@pytest.mark.parametrize("name", OUTAGES)
def test_a_server_that_answers_nothing_fails_the_stage(
    folder: Path, serve: Serve, name: str
) -> None:
    run()
    before = OUTPUT.read_bytes(), METRICS.read_bytes()
    serve(lambda body, tried: OUTAGES[name], max_retries=0)
    result = run()
    assert result.exit_code == 2, result.output
    assert result.stderr.count("error: ") == 1
    assert "Traceback" not in result.output
    assert (OUTPUT.read_bytes(), METRICS.read_bytes()) == before
    body = OUTAGES[name].body
    if isinstance(body, dict) and "error" in body:
        assert body["error"]["message"] in result.stderr, "the server's words"


@pytest.mark.parametrize("failing", ["ExplanationAnswer", "JudgeAnswer"])
def test_the_run_after_an_outage_asks_for_what_is_missing(
    folder: Path, serve: Serve, failing: str
) -> None:
    is_down = True

    def answer(body: dict[str, Any], before: int) -> Response:
        is_king = "king" in json.dumps(user(body))
        if is_down and purpose(body) == failing and is_king:
            return error(429, "slow down", {"Retry-After": "300"})
        return capable(body, before)

    server = serve(answer)
    result = run()
    assert result.exit_code == 2
    assert "of 4 requests failed for a reason that may pass (" in result.stderr
    assert "HTTP 429: slow down" in result.stderr
    assert "interpretation.openai.max_failed_share" in result.stderr
    assert not OUTPUT.exists()
    is_down = False
    assert run().exit_code == 0
    answered = Counter(json.dumps(body) for body in server.bodies)
    twice = [json.loads(body) for body, times in answered.items() if times > 1]
    assert twice
    assert {purpose(body) for body in twice} == {failing}
    assert all("king" in json.dumps(user(body)) for body in twice)
    assert len(answered) == 8


def test_failures_within_the_share_are_recorded(folder: Path, serve: Serve) -> None:
    def answer(body: dict[str, Any], before: int) -> Response:
        if "king" in user(body).get("tokens_made_more_likely", []):
            return error(500, "lost a worker")
        return capable(body, before)

    serve(answer, max_failed_share=0.25, max_retries=0)
    assert run().exit_code == 0
    (row,) = [row for row in read_jsonl(OUTPUT, Interpretation) if row.feature == 1]
    assert row.failure is not None
    assert (row.failure.kind, row.failure.message) == ("server", "HTTP 500: lost a worker")


AZURE = {
    "code": "content_filter",
    "innererror": {"code": "ResponsibleAIPolicyViolation"},
}
FLAGGED = {
    "OpenRouter": error(
        403,
        "Your input was flagged",
        code=403,
        metadata={"reasons": ["hate"], "flagged_input": "k"},
    ),
    "Azure": error(400, "The response was filtered", **AZURE),
    "with status 200": error(200, "The response was filtered", **AZURE),
    "in words alone": Response({"error": "blocked: violates our usage policies"}, 403),
    "DashScope": error(400, "Input data may contain inappropriate content."),
}


@pytest.mark.parametrize("name", FLAGGED)
def test_an_input_that_moderation_stops_is_recorded_and_stops_nothing(
    folder: Path, serve: Serve, name: str
) -> None:
    def answer(body: dict[str, Any], before: int) -> Response:
        if "king" in user(body).get("tokens_made_more_likely", []):
            return FLAGGED[name]
        return capable(body, before)

    server = serve(answer)
    assert run().exit_code == 0
    rows = {row.feature: row for row in read_jsonl(OUTPUT, Interpretation)}
    failure = rows[1].failure
    assert failure is not None
    assert failure.kind == "content_filter"
    assert any(words in failure.message for words in ("flagged", "filtered", "violates", "inapp"))
    assert [n for n, row in rows.items() if row.explanation] == [0, 2, 3]
    assert json.loads(METRICS.read_text())["failures"] == {
        "content_filter": 1,
        "too_few_contexts": 1,
    }
    assert len(server.bodies) == 7, "asked once"


def test_a_request_that_the_server_never_takes_is_recorded(folder: Path, serve: Serve) -> None:
    def answer(body: dict[str, Any], before: int) -> Response:
        if "king" in user(body).get("tokens_made_more_likely", []):
            return error(400, "maximum context length is 128 tokens")
        return capable(body, before)

    serve(answer)
    assert run().exit_code == 0
    assert json.loads(METRICS.read_text())["failures"]["rejected"] == 1
