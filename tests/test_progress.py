"""Long work talks in a log, and short work does not."""

import sys
import time
from io import StringIO

import pytest

from evenkeel import progress
from evenkeel.progress import Progress


class Clock:
    """Passes a second whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def lines_of(monkeypatch: pytest.MonkeyPatch, steps: int, stream: StringIO) -> list[str]:
    monkeypatch.setattr(sys, "stderr", stream)
    bar = Progress(total=steps, desc="train", unit="steps")
    bar._time = Clock()
    bar.start_t = bar.last_print_t = bar._time.now
    with bar:
        for _ in range(steps):
            bar.update()
    return stream.getvalue().splitlines()


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS", 10.0)
    lines = lines_of(monkeypatch, 100, StringIO())
    assert 5 <= len(lines) <= 40
    assert all(line.startswith("train: ") and " of 100 steps, " in line for line in lines)
    assert lines[-1].startswith("train: 100 of 100 steps")


def test_no_line_says_again_how_far_work_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow steps come after many fast ones, of which few are looked at."""
    monkeypatch.setattr(progress, "SECONDS", 0.05)
    monkeypatch.setattr(Progress, "monitor_interval", 0.01)
    monkeypatch.setattr(Progress, "monitor", None)
    shown = StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    for step in Progress(range(3000), "sweep", 3000):
        time.sleep(1e-5 if step < 2970 else 0.01)
    counts = [line.split()[1] for line in shown.getvalue().splitlines()][:-1]  # without the end's
    assert len(counts) > 2
    assert len(set(counts)) == len(counts)


def test_short_work_is_silent_in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines_of(monkeypatch, 5, StringIO()) == []


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    with Progress(total=3, desc="train", unit="steps", file=shown, disable=False) as bar:
        bar.update(3)
    assert "\r" in shown.getvalue()
    assert "100%" in shown.getvalue()
