"""`evenkeel serve` as a process."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import torch
from click.testing import CliRunner

from evenkeel.cli import group
from evenkeel.models.provenance import record_provenance
from evenkeel.steering.intervention import Add
from evenkeel.steering.spec import InterventionSpec

pytestmark = pytest.mark.xdist_group("serving")


@pytest.fixture
def given(tiny_folder: Path, tmp_path: Path) -> list[str]:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    push = Add(torch.randn(32), 9.0, layer=0, site="resid_post")
    InterventionSpec((push,)).save(tmp_path / "spec")
    return ["serve", "--model", str(tiny_folder), "--spec", f"mine={tmp_path / 'spec'}"]


def test_sigterm_finishes_what_runs(given: list[str], tmp_path: Path) -> None:
    code = "from evenkeel.cli import main; main()"
    command = [sys.executable, "-c", code, *given, "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert address, said
        asked = {"model": "tiny", "prompt": "Hi", "max_tokens": 60, "n": 8, "stream": True}
        url = f"{address[0]}/v1/completions"
        with httpx.stream("POST", url, json=asked, timeout=60) as answer:
            assert answer.headers["x-evenkeel-intervention"].startswith("mine;")
            lines = answer.iter_lines()
            first = next(lines)
            process.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line]
        assert rest[-1] == "data: [DONE]"
        finished = [line for line in [first, *rest] if '"finish_reason":null' not in line]
        assert len(finished) == 8 + 1
        with pytest.raises(httpx.TransportError):
            _ask_for(30, f"{address[0]}/healthz")  # it looks for signals now and then
        log = process.stderr.read()
        assert process.wait(60) == -signal.SIGTERM, log
    assert '"status": 200' in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--default", "other"], "there is no intervention 'other' to steer by; there are: mine"),
        (["--spec", "mine"], "give it as NAME=FOLDER"),
        (["--host", "0.0.0.0"], "lets others in: set EVENKEEL_API_KEY"),  # noqa: S104
        (["--host", "192.0.2.1", "--allowed-host", "x"], "cannot listen at 192.0.2.1"),
        (["--api-key-file", "none"], "cannot be read"),
    ],
)
def test_what_it_cannot_serve_is_one_line_and_status_2(
    given: list[str], more: list[str], message: str
) -> None:
    result = CliRunner().invoke(group, [*given, *more])
    assert result.exit_code == 2
    assert message in result.stderr


def test_without_an_intervention_it_has_to_be_told_so(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bare = given[:-2]
    result = CliRunner().invoke(group, [*bare, "--host", "192.0.2.1", "--allowed-host", "x"])
    assert "no intervention for --axis all" in result.stderr
    more = ["--default", "none", "--host", "192.0.2.1", "--allowed-host", "x"]
    result = CliRunner().invoke(group, [*bare, *more])
    assert "cannot listen at 192.0.2.1" in result.stderr  # all else was well


def _ask_for(seconds: int, url: str) -> None:
    for _ in range(10 * seconds):
        httpx.get(url)
        time.sleep(0.1)
