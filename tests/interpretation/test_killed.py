"""A run that is killed: what it paid for is kept, and what may be paid for is booked."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenkeel.interpretation.answers import AskAnswer
from evenkeel.interpretation.client import ChatClient
from evenkeel.interpretation.ledger import Ledger, LedgerEntry
from evenkeel.interpretation.replies import Reply
from evenkeel.interpretation.requests import Request
from tests.interpretation.server import Answer, Response, Server, completion

Serve = Callable[[Answer], Server]
Connect = Callable[..., ChatClient]
ROOT = Path(__file__).parents[2]
ANSWERED = 3
"""Questions that the server answers; the others hang."""
CONCURRENCY = 2


def requests(client: ChatClient, count: int = 6) -> list[Request]:
    return [
        Request.build("ask", client.params, "system", f"question {n}", AskAnswer)
        for n in range(count)
    ]


def kill_while_it_waits(server: Server, client: ChatClient) -> None:
    """Ask six questions in another process, and kill that once the server hangs on two of them."""
    code = f"""
        from pathlib import Path
        from evenkeel.interpretation.answers import AskAnswer
        from evenkeel.interpretation.client import ChatClient
        from evenkeel.interpretation.requests import Request
        from evenkeel.interpretation.secret import Secret
        from evenkeel.params import ChatParams
        params = ChatParams.model_validate_json({client.params.model_dump_json()!r})
        folder = Path({str(client.account.cache.folder)!r})
        client = ChatClient(params, Secret("killed-by-the-test"), folder)
        client.send([Request.build("ask", params, "system", f"question {{n}}", AskAnswer)
                     for n in range(6)])
    """
    run = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT)
    deadline = time.monotonic() + 60
    while len(server.bodies) < ANSWERED + CONCURRENCY and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL


@pytest.fixture
def killed(serve: Serve, connect: Connect) -> tuple[Server, ChatClient]:
    """A server that answers all questions now, and the client of the next run."""
    over = threading.Event()

    def answer(body: dict[str, Any], before: int) -> Response:
        if int(body["messages"][1]["content"].split()[-1]) >= ANSWERED:
            over.wait(60)
        return completion({"matches": []})

    server = serve(answer)
    client = connect(server, concurrency=CONCURRENCY, timeout_seconds=60.0)
    kill_while_it_waits(server, client)
    over.set()
    return server, client


def test_what_was_on_its_way_is_booked_and_counts(killed: tuple[Server, ChatClient]) -> None:
    server, client = killed
    ledger = client.account.ledger
    assert Counter(entry.outcome for entry in ledger.outcomes()) == {"answered": 3, "asked": 2}
    sent = len(server.bodies)
    replies = client.send(requests(client))
    assert all(isinstance(reply, Reply) for reply in replies)
    again = [body["messages"][1]["content"] for body in server.bodies[sent:]]
    assert sorted(again) == ["question 3", "question 4", "question 5"], "answers are kept"
    assert Counter(entry.outcome for entry in ledger.outcomes()) == {
        "answered": 6,
        "maybe_paid": 2,
    }
    most = sum(client.account.most(request) for request in requests(client)[3:5])
    answer = client.account.prices.cost(replies[0].usage.bounded(requests(client)[0].most))  # type: ignore[union-attr]
    assert client.account.budget.spent == pytest.approx(most + 3 * answer)
    assert sum(entry.usd for entry in ledger.outcomes()) == pytest.approx(most + 6 * answer)
    assert not list(client.account.cache.folder.rglob("*.part"))


def test_it_is_asked_again_under_the_same_key(killed: tuple[Server, ChatClient]) -> None:
    server, client = killed
    client.send(requests(client))
    keys = Counter(headers["idempotency-key"] for headers in server.headers)
    assert keys == {
        request.key: 2 if number in (3, 4) else 1 for number, request in enumerate(requests(client))
    }


def test_what_may_be_paid_uses_up_the_budget_once(
    killed: tuple[Server, ChatClient], connect: Connect
) -> None:
    server, client = killed
    most = client.account.most(requests(client)[0])
    tight = connect(server, budget_usd=2.5 * most)
    outcomes = tight.send(requests(tight))
    assert [isinstance(outcome, Reply) for outcome in outcomes] == [True] * 3 + [False] * 3
    assert {outcome.kind for outcome in outcomes[3:]} == {"budget"}  # type: ignore[union-attr]
    later = connect(server, budget_usd=2.5 * most)
    assert all(isinstance(outcome, Reply) for outcome in later.send(requests(later)))


def entry(ledger: Ledger, attempt: str) -> LedgerEntry:
    return LedgerEntry(
        attempt=attempt,
        run=ledger.run,
        key="k",
        purpose="ask",
        model="stub",
        outcome="asked",
        usage=None,
        usd=1.0,
    )


def test_what_another_process_is_waiting_for_is_not_abandoned(tmp_path: Path) -> None:
    ours, theirs = (Ledger(tmp_path / "ledger.jsonl") for _ in range(2))
    theirs.append([entry(theirs, "one")])
    assert ours.abandoned() == []
    run = theirs.run
    del theirs  # lets go of its lock, as the end of its process would
    assert [left.run for left in ours.abandoned()] == [run]
    assert not list((tmp_path / "runs").iterdir())


def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append([entry(ledger, "one")])
    with ledger.path.open("a") as file:
        file.write('{"attempt": "two", "ou')
    ledger.append([entry(ledger, "three")])
    assert [row.attempt for row in ledger.outcomes()] == ["one", "three"]


def test_a_ledger_of_an_early_version_is_read(tmp_path: Path) -> None:
    old = {"key": "k", "purpose": "ask", "model": "m", "outcome": "answered", "usd": 1.0}
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    lines = [json.dumps({**old, "usage": usage}), json.dumps({**old, "usage": None})]
    path = tmp_path / "ledger.jsonl"
    path.write_text("\n".join(lines) + "\n")
    assert sum(row.usd for row in Ledger(path).outcomes()) == 2.0


def test_a_request_is_on_the_disk_before_it_is_sent(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    lines_at_sync: list[int] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        synced.append(handle)

    monkeypatch.setattr("evenkeel.interpretation.ledger.os.fsync", fsync)

    def answer(body: dict[str, Any], before: int) -> Response:
        lines_at_sync.append(len(client.account.ledger.outcomes()))
        assert synced
        return completion({"matches": []})

    client = connect(serve(answer), concurrency=1)
    client.send(requests(client, 3))
    assert lines_at_sync == [1, 2, 3]
