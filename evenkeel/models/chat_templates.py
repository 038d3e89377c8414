"""A tokenizer's chat template applied to messages, within bounds of time and size."""

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from evenkeel.errors import BadInputError

SECONDS = 10.0
"""For one rendering; ordinary templates take milliseconds."""
_START_SECONDS = 120.0
LONGEST = 1_000_000
"""Characters of a template, and of what it adds to the messages."""


class _Worker:
    """A process that renders, and is ended when it takes too long."""

    def __init__(self) -> None:
        package = str(Path(__file__).parents[2])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "evenkeel.models.template_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        Thread(target=self._read, daemon=True).start()
        atexit.register(self.end)
        self.line(_START_SECONDS)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def line(self, seconds: float) -> str | None:
        """The next line that it says; "" if it has ended, None if it says nothing in time."""
        try:
            return self._lines.get(timeout=seconds)
        except Empty:
            return None

    def ask(self, request: Mapping[str, Any]) -> str | None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:  # it has ended
            return ""
        return self.line(SECONDS)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


_running: list[_Worker] = []


def render_chat(tokenizer: Any, messages: Sequence[Mapping[str, str]], *, now: datetime) -> str:
    """The text that a chat model is given for messages, the start of its answer included.

    The template is the model's own program. It runs in a process beside this one, which is ended
    after `SECONDS` and may use a limited amount of memory.

    Args:
        tokenizer: of transformers, with a chat template.
        messages: each with a role and a content.
        now: the time that the template is told if it asks.

    Raises:
        BadInputError: the template fails, refuses such messages, is too large, makes too long a
            text or one that is no Unicode, or does not end in time.
    """
    where = f"the chat template of the tokenizer {Path(tokenizer.name_or_path).name!r}"
    try:
        template = tokenizer.get_chat_template()
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInputError(f"{where} cannot be used: {error}") from error
    if not isinstance(template, str):
        raise BadInputError(f"{where} is a {type(template).__name__}, no text; repair it")
    if len(template) > LONGEST:
        raise BadInputError(f"{where} is {len(template)} characters long, over {LONGEST}")
    request = {
        "template": template,
        "messages": list(messages),
        "special_tokens": tokenizer.special_tokens_map,
        "now": now.isoformat(),
        "longest": LONGEST + sum(len(message["content"]) for message in messages),
    }
    if not _running:
        _running.append(_Worker())
    line = _running[0].ask(request)
    if not line:
        _running.pop().end()
        reason = "needs too much memory" if line == "" else f"does not end within {SECONDS:.0f} s"
        raise BadInputError(f"{where} {reason}; repair it, or use prompts without it")
    answer = json.loads(line)
    if "error" in answer:
        raise BadInputError(f"{where} cannot render these messages: {answer['error']}")
    return str(answer["text"])
