"""The real openai client over HTTP, against a local server that also misbehaves."""

import email.utils
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenkeel.errors import BadInputError
from evenkeel.interpretation.answers import AskAnswer
from evenkeel.interpretation.client import ChatClient
from evenkeel.interpretation.direct import Backoff
from evenkeel.interpretation.ledger import LedgerEntry
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import Reply, read_answer
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.secret import Secret
from tests.interpretation.cases import KEY, chat_params
from tests.interpretation.server import Answer, Response, Server, completion

Serve = Callable[[Answer], Server]
Connect = Callable[..., ChatClient]
GOOD = {"matches": [{"feature": 1, "reason": "it says so"}]}
ROOT = Path(__file__).parents[2]


def requests(client: ChatClient, count: int = 1) -> list[Request]:
    return [
        Request.build("ask", client.params, "system", f"question {n}", AskAnswer)
        for n in range(count)
    ]


def ledger(client: ChatClient) -> list[LedgerEntry]:
    """What became of each attempt."""
    return client.account.ledger.outcomes()


def question(body: dict[str, Any]) -> int:
    return int(body["messages"][1]["content"].split()[-1])


def test_an_answer_comes_back_checked_and_paid_for(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: completion(GOOD))
    client = connect(server)
    (reply,) = client.send(requests(client))
    assert isinstance(reply, Reply)
    answer = read_answer(reply, AskAnswer)
    assert isinstance(answer, AskAnswer)
    assert answer.matches[0].feature == 1
    (body,) = server.bodies
    schema = body["response_format"]["json_schema"]
    assert schema["strict"] is True
    for definition in [schema["schema"], *schema["schema"]["$defs"].values()]:
        assert definition["additionalProperties"] is False
        assert sorted(definition["required"]) == sorted(definition["properties"])
    (entry,) = ledger(client)
    assert entry.usd == pytest.approx((100 * 1 + 20 * 2) / 1e6)
    assert client.account.budget.spent == entry.usd
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert server.headers[0]["idempotency-key"] == requests(client)[0].key


def test_a_rerun_asks_and_pays_nothing(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: completion(GOOD))
    first = connect(server)
    replies = first.send(requests(first, 5))
    again = connect(server, budget_usd=0.0)  # not even a budget is needed
    assert again.send(requests(again, 5)) == replies
    assert len(server.bodies) == 5
    assert again.account.budget.spent == 0
    assert again.bill() == first.bill()
    assert again.estimate(requests(again, 5)).cached == 5


@pytest.mark.parametrize(
    "change", [{"model": "other"}, {"temperature": 0.5}, {"temperature": None}]
)
def test_another_request_is_asked_anew(
    serve: Serve, connect: Connect, change: dict[str, Any]
) -> None:
    server = serve(lambda body, before: completion(GOOD))
    for client in (connect(server), connect(server, **change)):
        client.send(requests(client))
    assert len(server.bodies) == 2
    assert server.bodies[1].get("temperature") == change.get("temperature", 0.0)


def test_the_same_request_twice_is_made_once(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: completion(GOOD))
    client = connect(server)
    one, two = client.send(requests(client) * 2)
    assert one == two
    assert len(server.bodies) == 1


def test_retry_after_is_honored(serve: Serve, connect: Connect) -> None:
    def answer(body: dict[str, Any], before: int) -> Response:
        if before == 0:
            return Response({"error": {"message": "slow"}}, 429, {"Retry-After": "0.4"})
        return completion(GOOD)

    server = serve(answer)
    client = connect(server)
    (reply,) = client.send(requests(client))
    assert isinstance(reply, Reply)
    assert server.times[1] - server.times[0] >= 0.4
    turned_away, answered = ledger(client)
    assert (turned_away.outcome, turned_away.usd) == ("not_charged", 0)
    assert (answered.outcome, answered.usd) == ("answered", client.account.budget.spent)


def test_retry_after_may_be_a_date(serve: Serve, connect: Connect) -> None:
    def answer(body: dict[str, Any], before: int) -> Response:
        date = email.utils.formatdate(time.time() + 1.5, usegmt=True)
        return (
            Response({"error": {}}, 503, {"Retry-After": date}) if before == 0 else completion(GOOD)
        )

    server = serve(answer)
    client = connect(server)
    (reply,) = client.send(requests(client))
    assert isinstance(reply, Reply)
    assert server.times[1] - server.times[0] > 0.3  # the date is in whole seconds


def test_a_server_that_asks_for_an_hour_is_not_waited_for(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: Response({"error": {}}, 429, {"Retry-After": "3600"}))
    client = connect(server)
    (failure,) = client.send(requests(client))
    assert isinstance(failure, Failure)
    assert (failure.kind, len(server.bodies)) == ("server", 1)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_passing_errors_are_retried_and_the_limit_holds(
    serve: Serve, connect: Connect, status: int
) -> None:
    server = serve(
        lambda body, before: (
            completion(GOOD)
            if question(body) == 0 and before == 2
            else Response({"error": {"message": "overloaded"}}, status)
        )
    )
    client = connect(server, concurrency=1)
    good, bad = client.send(requests(client, 2))
    assert isinstance(good, Reply)
    assert isinstance(bad, Failure)
    assert bad.kind == "server"
    assert bad.message.startswith(f"HTTP {status}")
    assert len(server.bodies) == 3 + 4  # the second try of three, and all of four


def test_a_refused_request_is_not_retried(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: Response({"error": {"message": "too long"}}, 400))
    client = connect(server)
    (failure,) = client.send(requests(client))
    assert isinstance(failure, Failure)
    assert "too long" in failure.message
    assert len(server.bodies) == 1


def test_a_server_that_hangs_is_given_up_and_may_charge(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: Response(delay=1.0))
    client = connect(server, timeout_seconds=0.1, max_retries=1)
    (failure,) = client.send(requests(client))
    assert isinstance(failure, Failure)
    assert failure.kind == "timeout"
    most = client.account.prices.cost(requests(client)[0].most)
    assert [entry.outcome for entry in ledger(client)] == ["unanswered"] * 2
    assert client.account.budget.spent == pytest.approx(2 * most)


def test_a_hang_that_passes_is_survived(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: Response(delay=0.5) if before == 0 else completion(GOOD))
    client = connect(server, timeout_seconds=0.15)
    (reply,) = client.send(requests(client))
    assert isinstance(reply, Reply)


BROKEN = {
    "cut-off JSON": Response('{"choices": [{"message": {"content": "{\\"mat'),
    "HTML": Response("<html>Bad gateway</html>", headers={"Content-Type": "text/html"}),
    "a list": Response("[1, 2]"),
    "no choices": Response({"choices": []}),
    "choices of another shape": Response({"choices": [{"message": "hello"}]}),
    "not UTF-8": Response(b"\xff\xfe\x00"),
    "deeply nested": Response("[" * 100_000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_completion_is_a_failure_and_not_kept(
    serve: Serve, connect: Connect, name: str
) -> None:
    server = serve(lambda body, before: BROKEN[name])
    client = connect(server)
    (failure,) = client.send(requests(client))
    assert isinstance(failure, Failure)
    assert failure.kind == "server"
    assert failure.message.startswith("no chat completion came back: ")
    client.send(requests(client))
    assert len(server.bodies) == 2, "asked again by the next run"


def test_a_connection_that_breaks_is_retried(serve: Serve, connect: Connect) -> None:
    server = serve(
        lambda body, before: Response('{"choi', promised=1000) if before == 0 else completion(GOOD)
    )
    client = connect(server)
    (reply,) = client.send(requests(client))
    assert isinstance(reply, Reply)
    assert [entry.outcome for entry in ledger(client)] == ["unanswered", "answered"]


NO_ANSWERS = {
    "refusal": (completion(None, refusal="I cannot help with that."), "refusal"),
    "content filter": (completion("", finish_reason="content_filter"), "content_filter"),
    "length": (completion('{"matches": [', finish_reason="length"), "cut_off"),
    "empty": (completion(None), "malformed"),
    "prose": (completion("Sure! Feature 1."), "malformed"),
    "half": (completion('{"matches": [{"feature": 1, "rea'), "malformed"),
    "wrong type": (completion({"matches": [{"feature": "one", "reason": "x"}]}), "malformed"),
    "two answers": (completion(f'{{"matches": []}} or {json.dumps(GOOD)}'), "malformed"),
    "missing key": (completion({"matches": [{"feature": 1}]}), "malformed"),
    "escape codes": (completion({"matches": [{"feature": 1, "reason": "\x1b[2J"}]}), "malformed"),
    "blank": (completion({"matches": [{"feature": 1, "reason": " \n"}]}), "malformed"),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_is_a_failure_kept_like_an_answer(
    serve: Serve, connect: Connect, name: str
) -> None:
    response, kind = NO_ANSWERS[name]
    server = serve(lambda body, before: response)
    client = connect(server)
    for _ in range(2):
        (reply,) = client.send(requests(client))
        assert isinstance(reply, Reply)
        answer = read_answer(reply, AskAnswer)
        assert isinstance(answer, Failure)
        assert answer.kind == kind
    assert len(server.bodies) == 1, "it was paid for once"


def test_outcomes_are_in_order_whichever_came_first(serve: Serve, connect: Connect) -> None:
    def answer(body: dict[str, Any], before: int) -> Response:
        response = completion({"matches": [{"feature": question(body), "reason": "x"}]})
        response.delay = 0.02 * (8 - question(body))
        return response

    client = connect(serve(answer), concurrency=8)
    replies = [read_answer(reply, AskAnswer) for reply in client.send(requests(client, 8))]  # type: ignore[arg-type]
    assert [reply.matches[0].feature for reply in replies] == list(range(8))  # type: ignore[union-attr]
    assert {entry.key for entry in ledger(client)} == {r.key for r in requests(client, 8)}


@pytest.mark.parametrize("limit", [1, 3])
def test_concurrency_is_bounded_and_used(serve: Serve, connect: Connect, limit: int) -> None:
    def answer(body: dict[str, Any], before: int) -> Response:
        response = completion(GOOD)
        response.delay = 0.2
        return response

    server = serve(answer)
    client = connect(server, concurrency=limit)
    client.send(requests(client, 9))
    assert server.most_at_once == limit


def test_the_budget_is_never_passed_and_what_it_stops_says_so(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(lambda body, before: completion(GOOD, usage=(300, 20)))
    probe = connect(server)
    most = probe.account.prices.cost(requests(probe)[0].most)
    client = connect(server, budget_usd=2.5 * most)
    outcomes = client.send(requests(client, 10))
    made = [isinstance(outcome, Reply) for outcome in outcomes]
    assert made == sorted(made, reverse=True), "the first ones are asked"
    assert 2 < sum(made) < 10, "what answers do not use up is there for others"
    assert sum(made) == len(server.bodies)
    assert client.account.budget.spent <= 2.5 * most
    assert outcomes[-1].kind == "budget"  # type: ignore[union-attr]
    assert f"{10 - sum(made)} requests not made" in caplog.text
    again = connect(server, budget_usd=0.0)
    assert again.send(requests(again, 10)) == [
        outcome
        if isinstance(outcome, Reply)
        else Failure(kind="budget", message=outcome.message.replace(f"{2.5 * most:g}", "0"))
        for outcome in outcomes
    ]


def test_retries_after_a_hang_are_within_the_budget_too(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: Response(delay=0.5))
    probe = connect(server)
    most = probe.account.prices.cost(requests(probe)[0].most)
    client = connect(server, timeout_seconds=0.05, budget_usd=2.5 * most, max_retries=10)
    (failure,) = client.send(requests(client))
    assert failure.kind == "budget"  # type: ignore[union-attr]
    assert len(server.bodies) == 2
    assert client.account.budget.spent == pytest.approx(2 * most)


def test_without_reported_usage_the_most_is_booked(serve: Serve, connect: Connect) -> None:
    client = connect(serve(lambda body, before: completion(GOOD, usage=None)))
    client.send(requests(client))
    most = requests(client)[0].most
    assert client.account.budget.spent == pytest.approx(client.account.prices.cost(most))
    assert client.bill().without_usage == 1


def test_the_most_is_an_upper_bound_in_bytes(connect: Connect, serve: Serve) -> None:
    client = connect(serve(lambda body, before: completion(GOOD)))
    request = Request.build("ask", client.params, "sys", "né 看 \U0001f600" * 50, AskAnswer)
    sent = sum(len(message["content"].encode()) for message in request.body["messages"])
    assert request.most.prompt_tokens > sent
    assert client.account.prices.cost(request.likely) < client.account.prices.cost(request.most)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "refuses the API key; check OPENAI_API_KEY"),
        (402, "has no credit left for OPENAI_API_KEY"),
        (404, r"does not know this model or path; check interpretation\.openai\.model"),
    ],
)
def test_what_no_request_survives_ends_the_run_with_one_message(
    serve: Serve, connect: Connect, status: int, message: str
) -> None:
    server = serve(
        lambda body, before: (
            completion(GOOD) if question(body) == 0 else Response({"error": {}}, status)
        )
    )
    client = connect(server, concurrency=1)
    with pytest.raises(BadInputError, match=message):
        client.send(requests(client, 20))
    assert len(server.bodies) <= 3, "the others are not tried"
    assert client.account.cache.get(requests(client)[0]), "what was paid for is kept"


def test_an_exhausted_quota_is_not_retried(serve: Serve, connect: Connect) -> None:
    error = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    server = serve(lambda body, before: Response(error, 429))
    client = connect(server)
    with pytest.raises(BadInputError, match="You exceeded your quota"):
        client.send(requests(client))
    assert len(server.bodies) == 1


def test_a_network_that_is_not_there_gets_one_message(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    params = chat_params(f"http://127.0.0.1:{port}/v1")
    client = ChatClient(params, Secret(KEY), tmp_path, Backoff(0.001, 0.001))
    with pytest.raises(
        BadInputError, match=rf"127\.0\.0\.1:{port}/v1: cannot be reached; .*offline"
    ):
        client.send(requests(client, 3))
    assert {entry.outcome for entry in ledger(client)} == {"not_charged"}
    assert client.account.budget.spent == 0


def test_a_damaged_answer_in_the_cache_is_named(serve: Serve, connect: Connect) -> None:
    client = connect(serve(lambda body, before: completion(GOOD)))
    client.send(requests(client))
    (path,) = client.account.cache.folder.glob("??/*.json")
    path.write_text(path.read_text()[:50])
    with pytest.raises(BadInputError, match=f"{path.name}: no complete answer; delete it"):
        client.send(requests(client))


def test_the_environment_changes_nothing_but_the_key(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "OPENAI_BASE_URL", "http://127.0.0.1:9/elsewhere")
    client = connect(serve(lambda body, before: completion(GOOD)))
    (reply,) = client.send(requests(client))
    assert isinstance(reply, Reply)
