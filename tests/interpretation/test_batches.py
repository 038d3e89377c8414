"""The Batch API: one file up, one file back, and a batch that is never paid twice."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenkeel.errors import BadInputError
from evenkeel.interpretation.answers import AskAnswer
from evenkeel.interpretation.client import ChatClient
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import Reply
from evenkeel.interpretation.requests import Request
from tests.interpretation.server import Answer, Response, Server, completion

Serve = Callable[[Answer], Server]
Connect = Callable[..., ChatClient]
GOOD: dict[str, Any] = {"matches": []}


def requests(client: ChatClient, count: int) -> list[Request]:
    return [
        Request.build("ask", client.params, "s", f"question {n}", AskAnswer) for n in range(count)
    ]


def test_a_batch_is_submitted_awaited_and_collected(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: completion(GOOD))
    client = connect(server, batch=True)
    replies = client.send(requests(client, 3))
    assert all(isinstance(reply, Reply) for reply in replies)
    assert len(server.batches) == 1
    assert server.batch_polls == 3
    assert client.account.budget.spent == pytest.approx(3 * (100 * 1 + 20 * 2) / 1e6 / 2)
    assert not list((client.account.cache.folder / "batches").iterdir())


def test_a_batched_answer_is_the_same_as_a_direct_one(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: completion(GOOD))
    batched = connect(server, batch=True)
    direct = connect(server)
    assert batched.send(requests(batched, 3)) == direct.send(requests(direct, 3))
    assert len(server.bodies) == 3, "the second run found all in the cache"


def test_a_run_that_died_while_it_waited_finds_its_batch(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda body, before: completion(GOOD))
    client = connect(server, batch=True)

    def die(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("evenkeel.interpretation.batches.time.sleep", die)
        with pytest.raises(KeyboardInterrupt):
            client.send(requests(client, 3))
    again = connect(server, batch=True)
    assert all(isinstance(reply, Reply) for reply in again.send(requests(again, 3)))
    assert len(server.batches) == 1


def test_lines_that_failed_fail_alone(serve: Serve, connect: Connect) -> None:
    def answer(body: dict[str, Any], before: int) -> Response:
        number = int(body["messages"][1]["content"].split()[-1])
        return [
            Response({"error": {"message": "overloaded"}}, 500),
            Response({"a": 1}),
            completion(GOOD),
        ][number]

    client = connect(serve(answer), batch=True)
    failed, garbled, good = client.send(requests(client, 3))
    assert isinstance(failed, Failure)
    assert (failed.kind, failed.message) == ("server", "HTTP 500: overloaded")
    assert isinstance(garbled, Failure)
    assert garbled.kind == "server"
    assert garbled.message.startswith("no chat completion came back")
    assert isinstance(good, Reply)


def test_what_an_expired_batch_did_not_answer_fails(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: completion(GOOD))
    server.poll = lambda batch_id: Response({"id": batch_id, "status": "expired"})  # type: ignore[method-assign]
    client = connect(server, batch=True)
    (failure,) = client.send(requests(client, 1))
    assert isinstance(failure, Failure)
    assert failure.message == "batch expired without an answer to it"
    assert client.account.budget.spent == 0


def test_a_server_without_the_batch_api_says_so(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: completion(GOOD))
    server.upload = lambda content_type, data: Response("ok")  # type: ignore[method-assign]
    client = connect(server, batch=True)
    with pytest.raises(
        BadInputError, match=r"no Batch API .* interpretation\.openai\.batch to fal"
    ):
        client.send(requests(client, 1))


def test_the_budget_holds_for_batches(serve: Serve, connect: Connect) -> None:
    server = serve(lambda body, before: completion(GOOD, usage=(10_000, 10_000)))
    client = connect(server, batch=True)
    most = client.account.prices.cost(requests(client, 1)[0].most)
    tight = connect(server, batch=True, budget_usd=2.5 * most)
    outcomes = tight.send(requests(tight, 5))
    assert [isinstance(outcome, Reply) for outcome in outcomes] == [True, True, *[False] * 3]


def test_a_damaged_note_is_named(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    client = connect(serve(lambda body, before: completion(GOOD)), batch=True)
    note = client.account.cache.folder / "batches" / "x.json"
    note.parent.mkdir(parents=True)
    note.write_text("{}")
    with pytest.raises(BadInputError, match=r"x\.json: no note of a batch; delete it"):
        client.send(requests(client, 1))


def ended(**fields: Any) -> Callable[[str], Response]:
    return lambda batch_id: Response({"id": batch_id, **fields})


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
def test_the_reason_of_a_batch_that_failed_is_kept(
    serve: Serve, connect: Connect, status: str
) -> None:
    server = serve(lambda body, before: completion(GOOD))
    errors = {"data": [{"code": "token_limit", "message": "Enqueued token limit reached"}]}
    server.poll = ended(status=status, errors=errors)  # type: ignore[method-assign]
    client = connect(server, batch=True)
    (failure,) = client.send(requests(client, 1))
    assert isinstance(failure, Failure)
    assert failure.kind == "server", "may pass"
    assert failure.message.endswith("without an answer to it: Enqueued token limit reached")
    assert client.account.budget.spent == 0


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ({"error": {"code": "batch_expired", "message": "not in time"}}, "server", "not in time"),
        (
            {"response": {"status_code": 400, "body": {"error": {"message": "too many tokens"}}}},
            "rejected",
            "too many tokens",
        ),
        (
            {
                "response": {
                    "status_code": "400",
                    "body": '{"error": {"message": "no", "code": "content_filter"}}',
                }
            },
            "content_filter",
            "no",
        ),
        ({"response": {"status_code": 200, "body": {"error": "busy"}}}, "server", "busy"),
    ],
)
def test_the_reason_of_a_line_that_failed_is_kept(
    serve: Serve, connect: Connect, line: dict[str, Any], kind: str, words: str
) -> None:
    server = serve(lambda body, before: completion(GOOD))
    client = connect(server, batch=True)
    (request,) = requests(client, 1)
    server.files["err"] = json.dumps({"custom_id": request.key, **line}).encode()
    server.poll = ended(status="completed", error_file_id="err")  # type: ignore[method-assign]
    (failure,) = client.send([request])
    assert isinstance(failure, Failure)
    assert failure.kind == kind
    assert words in failure.message
    assert client.account.budget.spent == 0


def test_no_character_but_a_line_feed_ends_a_line(serve: Serve, connect: Connect) -> None:
    reason = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    server = serve(lambda body, before: completion({"matches": [{"feature": 1, "reason": reason}]}))
    client = connect(server, batch=True)
    (reply,) = client.send(requests(client, 1))
    assert isinstance(reply, Reply)
    assert reply.content is not None
    assert json.loads(reply.content)["matches"][0]["reason"] == reason


def test_a_file_that_was_cut_off_is_fetched_again(serve: Serve, connect: Connect) -> None:
    class CutOnce(dict[str, bytes]):
        """The first time, half of the output file."""

        is_first = True

        def __getitem__(self, name: str) -> bytes:
            data = super().__getitem__(name)
            if name == "out" and self.is_first:
                self.is_first = False
                return data[: len(data) // 2]
            return data

    server = serve(lambda body, before: completion(GOOD))
    server.files = CutOnce()
    client = connect(server, batch=True)
    assert all(isinstance(reply, Reply) for reply in client.send(requests(client, 3)))
    assert not server.files.is_first


def test_a_batch_submitted_as_the_run_was_killed_is_found(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda body, before: completion(GOOD))
    client = connect(server, batch=True)
    submitted = server.start_batch

    def start_and_hang(body: dict[str, Any]) -> Response:
        response = submitted(body)
        time.sleep(1.0)
        return response

    monkeypatch.setattr(server, "start_batch", start_and_hang)
    dying = connect(server, batch=True, timeout_seconds=0.2)
    with pytest.raises(BadInputError, match="no answer within the time limit"):
        dying.send(requests(client, 3))
    assert all(isinstance(reply, Reply) for reply in client.send(requests(client, 3)))
    assert len(server.batches) == 1, "not submitted again"
    outcomes = [entry.outcome for entry in client.account.ledger.outcomes()]
    assert outcomes == ["answered"] * 3


def test_a_batch_that_was_refused_leaves_no_note(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda body, before: completion(GOOD))
    refusal = Response({"error": {"message": "no batches for this model"}}, 400)
    monkeypatch.setattr(server, "start_batch", lambda body: refusal)
    client = connect(server, batch=True)
    with pytest.raises(BadInputError, match="no batches for this model"):
        client.send(requests(client, 3))
    assert not list((client.account.cache.folder / "batches").iterdir())
    assert client.account.budget.spent == 0
