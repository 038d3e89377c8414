"""No value of a parameter file reaches a shell before it was checked."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from stages import check_params
from tests.pipeline.recording import FILES, ROOT

HOSTILE = [
    "x; touch y #",
    "$(touch y)",
    "`touch y`",
    'x" && touch "y',
    "x\ny",
    "-x",
    "",
    "x|y",
    "x&touch y",
    "x>y",
    "x<y",
    "x\ty",
    "x\\",
    "x'y",
    "${seed}",
    "x*",
    "x?",
    "[x]",
    "{x,y}",
    "x\u2028y",
    "x\x85y",
    "x\u202ey",
    "x\r",
    "!x",
    "~x",
    "#x",
    "x%PATH%",
]
PIPELINES = [*FILES, "validation/dvc.yaml"]
PARAMS, VALIDATION = (
    yaml.safe_load((ROOT / folder / "params.yaml").read_text()) for folder in (".", "validation")
)


def check(tmp_path: Path, params: dict[str, Any], *options: str) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    result = CliRunner().invoke(check_params.main, ["--params", str(path), *options])
    assert result.exit_code in (0, 2)
    return result.stderr if result.exit_code else ""


def with_benchmarks(**changed: Any) -> dict[str, Any]:
    return PARAMS | {"benchmarks": PARAMS["benchmarks"] | changed}


def test_names_of_tasks_and_places_of_files_pass(tmp_path: Path) -> None:
    harness = PARAMS["benchmarks"]["harness"] | {"tasks": ["crows_pairs_english"]}
    run = {"bbq": "data/my benchmarks/bbq-1.0_é"}
    for params in (PARAMS, with_benchmarks(harness=harness, run=run)):
        assert check(tmp_path, params) == ""
    assert check(tmp_path, VALIDATION, "--validation") == ""


@pytest.mark.parametrize("value", HOSTILE)
def test_shell_text_is_refused_by_its_path(tmp_path: Path, value: str) -> None:
    harness = PARAMS["benchmarks"]["harness"] | {"tasks": ["crows_pairs_english", value]}
    refused = check(tmp_path, with_benchmarks(harness=harness, run={"bbq": value}))
    assert "benchmarks.harness.tasks.1: " in refused
    assert "benchmarks.run.bbq: " in refused
    refused = check(tmp_path, with_benchmarks(run={value: "x"}, download={value: {}}))
    assert "benchmarks.run" in refused
    assert "benchmarks.download" in refused


@pytest.mark.parametrize("value", HOSTILE)
def test_so_are_those_of_the_validation(tmp_path: Path, value: str) -> None:
    params = VALIDATION | {"twins": [value], "strengths": [value]}
    refused = check(tmp_path, params, "--validation")
    assert "twins.0: " in refused
    assert "strengths.0: " in refused


def test_every_command_with_a_parameter_follows_the_check() -> None:
    held = 0
    files = [yaml.safe_load((ROOT / name).read_text())["stages"] for name in PIPELINES]
    for stage, body in [pair for stages in files for pair in stages.items()]:
        inner = body.get("do", body)
        commands = inner["cmd"] if isinstance(inner["cmd"], list) else [inner["cmd"]]
        fixed = {"key", "item"} if not isinstance(body.get("foreach", ""), str) else set()
        fixed |= {f"item.{axis}" for axis, values in body.get("matrix", {}).items()
                  if not isinstance(values, str)}  # fmt: skip
        if isinstance(each := body.get("foreach"), dict):
            fixed |= {f"item.{name}" for item in each.values() if isinstance(item, dict)
                      for name in item}  # fmt: skip
        for index, command in enumerate(commands):
            if set(re.findall(r"\$\{(.+?)\}", command)) - fixed:
                held += 1
                assert index > 0, stage
                assert "stages.check_params" in commands[0], stage
                assert "${" not in commands[0], stage
    assert held
