"""Free-form questions over all features."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from evenkeel.errors import BadInputError
from evenkeel.interpretation.ask import Described, ask
from evenkeel.interpretation.client import ChatClient
from tests.interpretation.server import Answer, Response, Server, completion

Serve = Callable[[Answer], Server]
Connect = Callable[..., ChatClient]
FEATURES = [Described(n, ("nurse" if n % 60 == 7 else "train", "the")) for n in range(250)]


def find_nurses(body: dict[str, Any], before: int) -> Response:
    data = json.loads(body["messages"][1]["content"])
    word = data["question"].split()[-1]
    rows = [row["feature"] for row in data["features"] if word in row["tokens"]]
    return completion({"matches": [{"feature": n, "reason": "nurses"} for n in reversed(rows)]})


def test_every_feature_is_asked_about(serve: Serve, connect: Connect) -> None:
    server = serve(find_nurses)
    findings = ask(connect(server), "features about nurse", FEATURES[::-1])
    assert [match.feature for match in findings.matches] == [7, 67, 127, 187, 247]
    assert (findings.answered, findings.failures) == (250, ())
    assert len(server.bodies) == 3
    ask(connect(server), "features about nurse", FEATURES)
    assert len(server.bodies) == 3, "asked once"


def test_an_invented_feature_discredits_its_share_only(serve: Serve, connect: Connect) -> None:
    def answer(body: dict[str, Any], before: int) -> Response:
        if '"feature": 150' in body["messages"][1]["content"]:
            return completion({"matches": [{"feature": 999, "reason": "x"}]})
        return find_nurses(body, before)

    findings = ask(connect(serve(answer)), "features about nurse", FEATURES)
    assert [match.feature for match in findings.matches] == [7, 67, 247]
    assert findings.answered == 150
    ((first, last, failure),) = findings.failures
    assert (first, last, failure.kind) == (100, 199, "malformed")
    assert "names [999]" in failure.message


def test_an_empty_question_is_refused(serve: Serve, connect: Connect) -> None:
    with pytest.raises(BadInputError, match="the question is empty"):
        ask(connect(serve(find_nurses)), "  ", FEATURES)
