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


def check(tmp_path: Path, params: dict[str, Any], *options: str) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    result = CliRunner().invoke(check_params.main, ["--params", str(path), *options])
    assert result.exit_code in (0, 2)
    return result.stderr if result.exit_code else ""


@pytest.mark.parametrize("value", HOSTILE)
def test_shell_text_is_refused_by_its_path(tmp_path: Path, value: str) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert check(tmp_path, params) == ""
    params["benchmarks"]["harness"]["tasks"] = ["crows_pairs_english", value]
    assert "benchmarks.harness.tasks.1: " in check(tmp_path, params)
    params["benchmarks"]["harness"]["tasks"] = ["crows_pairs_english"]
    params["benchmarks"]["run"] = {"bbq": "data/my benchmarks/bbq-1.0_é"}
    assert check(tmp_path, params) == ""
    params["benchmarks"]["run"] = {"bbq": value}
    assert "benchmarks.run.bbq: " in check(tmp_path, params)
    for key in ("run", "download"):
        params["benchmarks"][key] = {value: {} if key == "download" else "x"}
        assert f"benchmarks.{key}" in check(tmp_path, params)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["twins", "strengths"])
def test_so_are_those_of_the_validation(tmp_path: Path, key: str, value: str) -> None:
    params = yaml.safe_load((ROOT / "validation" / "params.yaml").read_text())
    assert check(tmp_path, params, "--validation") == ""
    params[key] = [value]
    assert f"{key}.0: " in check(tmp_path, params, "--validation")


def test_every_command_with_a_parameter_follows_the_check() -> None:
    held = 0
    files = [yaml.safe_load((ROOT / name).read_text())["stages"] for name in PIPELINES]
    for stage, body in [pair for stages in files for pair in stages.items()]:
        inner = body.get("do", body)
        commands = inner["cmd"] if isinstance(inner["cmd"], list) else [inner["cmd"]]
        fixed = {"key", "item"} if not isinstance(body.get("foreach", ""), str) else set()
        fixed |= {f"item.{axis}" for axis, values in body.get("matrix", {}).items()
                  if not isinstance(values, str)}  # fmt: skip
        for index, command in enumerate(commands):
            if set(re.findall(r"\$\{(.+?)\}", command)) - fixed:
                held += 1
                assert index > 0, stage
                assert "stages.check_params" in commands[0], stage
                assert "${" not in commands[0], stage
    assert held
