"""Whatever a server does: no paid answer is lost, none is paid twice, and the books are right."""

import logging
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenkeel.errors import BadInputError
from evenkeel.interpretation.answers import AskAnswer
from evenkeel.interpretation.client import ChatClient
from evenkeel.interpretation.direct import Backoff
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import Reply, read_answer
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.secret import Secret
from tests.interpretation.cases import KEY, chat_params
from tests.interpretation.misbehaviour import ANSWER, REASON, Move, moves
from tests.interpretation.server import Response, Server, completion

EXPECTED = AskAnswer.model_validate(
    {"matches": [{"feature": 1, "reason": " ".join(REASON.split())}]}
)
fuzz = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "15")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Script:
    """Plays a list of moves for each question; good answers when it has ended."""

    def __init__(self, scripts: list[list[Move]]) -> None:
        self.scripts = scripts
        self.played: dict[int, list[Move]] = defaultdict(list)
        self._lock = threading.Lock()

    def __call__(self, body: dict[str, Any], before: int) -> Response:
        number = int(body["messages"][1]["content"].split()[-1])
        with self._lock:
            turn = len(self.played[number])
            rest = self.scripts[number][turn:]
            move = rest[0] if rest else Move(completion(ANSWER), 120.0, True)
            self.played[number].append(move)
        return move.response


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch, Server(lambda b, n: Response()).running() as it:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield it


def run(server: Server, folder: Path, count: int, **changes: Any) -> tuple[ChatClient, Any]:
    params = chat_params(server.url, timeout_seconds=0.8, max_retries=2, **changes)
    client = ChatClient(params, Secret(KEY), folder, Backoff(0.0, 0.0))
    try:
        return client, client.send(
            [
                Request.build("ask", params, "system", f"question {n}", AskAnswer)
                for n in range(count)
            ]
        )
    except BadInputError as error:
        return client, error


def check(client: ChatClient, outcome: Any, played: dict[int, list[Move]]) -> None:
    entries = client.account.ledger.outcomes()
    assert not {"asked", "in_batch"} & {entry.outcome for entry in entries}, "all have ended"
    ours = [entry for entry in entries if entry.run == client.account.ledger.run]
    assert sum(entry.usd for entry in ours) == pytest.approx(client.account.budget.spent)
    reported = sum(move.tokens for row in played.values() for move in row)
    cheapest = min(client.account.prices.input, client.account.prices.output)
    booked = sum(entry.usd for entry in entries)
    assert booked >= reported * cheapest * (1 - 1e-9), "as much as the server says"
    if isinstance(outcome, BadInputError):
        assert KEY not in str(outcome)
        return
    for number, reply in enumerate(outcome):
        if isinstance(reply, Reply):
            answer = read_answer(reply, AskAnswer)
            assert isinstance(answer, Failure) != played[number][-1].is_answer
            assert isinstance(answer, Failure) or answer == EXPECTED
        else:
            assert not any(move.is_answer for move in played[number]), "an answer was lost"


@fuzz
@given(st.lists(st.lists(moves, max_size=4), min_size=1, max_size=3))
def test_answers_are_kept_and_books_add_up(
    server: Server,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    scripts: list[list[Move]],
) -> None:
    caplog.set_level(logging.DEBUG)
    script = Script(scripts)
    server.answer = script
    with TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(8):  # runs, until all is answered
            kept = set(folder.glob("??/*.json"))
            before = Counter({number: len(row) for number, row in script.played.items()})
            client, outcome = run(server, folder, len(scripts))
            check(client, outcome, script.played)
            assert kept <= set(folder.glob("??/*.json"))
            for row in script.played.values():
                paid = [turn for turn, move in enumerate(row) if move.is_answer]
                assert paid in ([], [len(row) - 1]), "nothing is asked once it is answered"
            if not isinstance(outcome, BadInputError) and all(
                isinstance(reply, Reply) for reply in outcome
            ):
                break
        else:
            assert before != {n: len(row) for n, row in script.played.items()}, "asks again"
        shown = repr(outcome) + repr(client) + caplog.text + "".join(capfd.readouterr())
        files = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
        assert KEY[:16] not in shown + files
        assert client.bill().answers == len(outcome)
        again, same = run(server, folder, len(scripts), budget_usd=0.0)
        assert same == outcome
        assert again.bill() == client.bill()


@fuzz
@given(st.lists(moves, min_size=1, max_size=4))
def test_a_batch_loses_nothing_either(server: Server, played: list[Move]) -> None:
    script = Script([[move] for move in played])
    server.answer = script
    with TemporaryDirectory() as name:
        client, outcome = run(server, Path(name), len(played), batch=True)
        check(client, outcome, script.played)
        if not isinstance(outcome, BadInputError):
            answered = [
                isinstance(reply, Reply) and isinstance(read_answer(reply, AskAnswer), AskAnswer)
                for reply in outcome
            ]
            assert answered == [move.is_answer for move in played]
            assert not list(Path(name).glob("batches/*"))
