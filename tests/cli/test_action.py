"""The GitHub Action: its inputs are the options of `evenkeel check`, and its script passes them."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from evenkeel.cli.check import check

ROOT = Path(__file__).parents[2]
INPUT = re.compile(r"\$\{\{ inputs\.([\w-]+) \}\}")


@pytest.fixture
def action() -> Any:
    return yaml.safe_load((ROOT / "action.yml").read_text())


def options() -> dict[str, Any]:
    return {option.opts[0].removeprefix("--"): option for option in check.params}


def test_its_inputs_are_the_commands_options(action: Any) -> None:
    assert set(action["inputs"]) == set(options())
    given = action["runs"]["steps"][-1]["env"]
    used = [INPUT.fullmatch(value) for value in given.values()]
    assert sorted(match[1] for match in used if match) == sorted(options())


def test_no_input_is_a_part_of_a_script(action: Any) -> None:
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize("summary", ["", "bias.md"])
def test_its_script_passes_what_it_is_given(action: Any, tmp_path: Path, summary: str) -> None:
    hostile = "a model; $(touch pwned) *"
    given = dict.fromkeys(action["inputs"], "") | {
        "model": hostile, "max-spread": "gender=0.5 race=1\nage=2\n", "alpha": "0.1",
        "summary": summary, "trust-remote-code": "true",
    }  # fmt: skip
    step = action["runs"]["steps"][-1]
    env = {name: given[INPUT.fullmatch(value)[1]] for name, value in step["env"].items()}
    told = tmp_path / "evenkeel"
    told.write_text('#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done\nexit 1\n')
    told.chmod(0o755)
    places = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": "page.md"}

    done = subprocess.run(
        ["bash", "-c", step["run"]], env=env | places, cwd=tmp_path, capture_output=True,
        text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1  # what the check said
    assert done.stdout.splitlines() == [
        "check", "--max-spread", "gender=0.5", "--max-spread", "race=1", "--max-spread", "age=2",
        "--model", hostile, "--alpha", "0.1", "--summary", summary or "page.md",
        "--trust-remote-code",
    ]  # fmt: skip
    assert [file.name for file in tmp_path.iterdir()] == ["evenkeel"]
