from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from evenkeel.interpretation.client import ChatClient
from evenkeel.interpretation.direct import Backoff
from evenkeel.interpretation.secret import Secret
from tests.interpretation.cases import KEY, chat_params
from tests.interpretation.server import Answer, Server


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], Server]]:
    """Start a server with the given answers; it ends with the test."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(Server(answer).running())


@pytest.fixture
def connect(tmp_path: Path) -> Callable[..., ChatClient]:
    """A client of a server that keeps its answers in tmp_path/cache and hardly waits."""

    def make(server: Server, **changes: Any) -> ChatClient:
        params = chat_params(server.url, **changes)
        return ChatClient(params, Secret(KEY), tmp_path / "cache", Backoff(0.001, 0.002))

    return make
