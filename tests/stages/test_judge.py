"""The judge stage on a tiny model: files in, two files out, the same bytes twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from evenkeel.files import read_jsonl, read_record, write_jsonl
from evenkeel.judging.result import JudgedRow, Judging
from evenkeel.steering.intervention import Add
from evenkeel.steering.spec import InterventionSpec
from stages.judge import main
from tests.interpretation.conftest import serve  # noqa: F401
from tests.interpretation.server import Answer, Server
from tests.judging.cases import prompts, statements
from tests.judging.test_chat import reading
from tests.stages.conftest import set_params


@pytest.fixture
def options(workspace: Path) -> dict[str, str]:
    write_jsonl(workspace / "prompts" / "gender.jsonl", prompts())
    write_jsonl(workspace / "statements.jsonl", statements())
    direction = torch.eye(32)[0]  # a layer norm takes out what all units share
    folder = workspace / "evaluation" / "gender"
    folder.mkdir(parents=True)
    add = Add(layer=1, site="resid_post", direction=direction, scale=40.0)
    InterventionSpec((add,), {}).save(folder / "intervention")
    return {
        "axis": "gender", "model": "model", "prompts": "prompts", "evaluation": "evaluation",
        "statements": "statements.jsonl", "output": "judging", "metrics": "metrics",
    }  # fmt: skip


def run(options: dict[str, Any], *flags: str) -> Result:
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return CliRunner().invoke(main, [*arguments, *flags])


def test_record_and_verdicts_are_the_same_twice(workspace: Path, options: dict[str, str]) -> None:
    result = run(options)
    assert result.exit_code == 0, result.output
    files = [workspace / "metrics/gender.json", workspace / "judging/gender.jsonl"]
    found, rows = read_record(files[0], Judging), read_jsonl(files[1], JudgedRow)
    assert found.calibration
    assert (found.calibration.accuracy, found.withheld, found.usd) == (1.0, None, None)
    assert (found.items, found.texts) == (4, 4)
    texts = {
        source: [r.text for r in rows if r.source == source] for source in ("unsteered", "steered")
    }
    assert len(texts["unsteered"]) == len(texts["steered"]) == 4
    assert texts["unsteered"] != texts["steered"]
    first = [file.read_bytes() for file in files]
    assert run(options, "--quiet").exit_code == 0
    assert [file.read_bytes() for file in files] == first


def test_off_it_reads_nothing_and_says_so(workspace: Path, options: dict[str, str]) -> None:
    set_params(workspace, "judging.backend", "none")
    result = run(options | {"model": "absent", "prompts": "absent"})
    assert result.exit_code == 0, result.output
    assert read_record(workspace / "metrics/gender.json", Judging) == Judging.of_nothing("gender")
    assert (workspace / "judging/gender.jsonl").read_bytes() == b""


def test_a_model_judges_over_http_and_is_paid_once(
    workspace: Path,
    options: dict[str, str],
    serve: Callable[[Answer], Server],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = serve(reading)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    set_params(workspace, "judging.backend", "openai")
    set_params(workspace, "interpretation.openai.base_url", server.url)
    result = run(options)
    assert result.exit_code == 0, result.output
    path = workspace / "metrics/gender.json"
    found, first = read_record(path, Judging), path.read_bytes()
    assert (found.backend, found.model, found.withheld) == ("openai", "gpt-4o", None)
    assert found.usd
    asked = len(server.bodies)
    assert run(options).exit_code == 0
    assert (len(server.bodies), path.read_bytes()) == (asked, first)
    set_params(workspace, "interpretation.openai.budget_usd", 0.0001)
    set_params(workspace, "seed", 1)
    beyond = run(options)
    assert beyond.exit_code == 2
    assert "Nothing was asked" in " ".join(beyond.stderr.split())
    assert (len(server.bodies), path.read_bytes()) == (asked, first)


def test_bad_input_is_refused_and_the_earlier_record_stays(
    workspace: Path, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(options)
    path = workspace / "metrics/gender.json"
    first = path.read_bytes()
    absent = run(options | {"axis": "race"})
    assert absent.exit_code == 2
    assert "race.jsonl" in absent.stderr
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    set_params(workspace, "judging.backend", "openai")
    keyless = run(options)
    assert keyless.exit_code == 2
    assert "judging.backend is openai but OPENAI_API_KEY is not set" in keyless.stderr
    set_params(workspace, "judging.backend", "oracle")
    wrong = run(options)
    assert wrong.exit_code == 2
    assert "judging.backend" in wrong.stderr
    assert path.read_bytes() == first
