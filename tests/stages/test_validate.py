"""The stages of the validation, on organisms that are trained for a few steps."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from evenkeel.axes import AXES
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import Prompt
from evenkeel.params import ValidationParams
from stages.plant_organism import main as plant_organism
from stages.validate import main as validate
from tests.pipeline.imports import PLUMBING, closure
from tests.pipeline.recording import ROOT, within


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """validation/params.yaml, reduced to one twin and one strength of two steps each."""
    found = yaml.safe_load((ROOT / "validation" / "params.yaml").read_text())
    found |= {"twins": [1], "strengths": [1.0], "corpus_texts": 1000, "alone": []}
    found |= {"permutations": 99, "min_definitional_accuracy": 0.0}
    found["organism"] |= {"layers": 1, "d_model": 16, "vocab_size": 400, "context": 128, "steps": 2}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(found))
    monkeypatch.chdir(tmp_path)
    return path


def plant(name: str, strength: float, seed: int) -> None:
    options = ["--strength", str(strength), "--seed", str(seed), "--params", "params.yaml"]
    result = CliRunner().invoke(plant_organism, [*options, "--output", f"organisms/{name}"])
    assert result.exit_code == 0, result.output


def test_organisms_are_planted_and_then_measured_as_one_summary(
    params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_the_test_split(*given: Any, **options: Any) -> list[Prompt]:
        return [row for row in make_prompts(*given, **options) if row.split == "test"]

    monkeypatch.setattr("evenkeel.datasets.prompts.make_prompts", of_the_test_split)
    for name, strength, seed in (("twin-1", 0, 1), ("strength-1.0", 1.0, 0)):
        plant(name, strength, seed)
    options = ["--organisms", "organisms", "--summary", "summary.json", "--plot", "recovery.csv"]
    result = CliRunner().invoke(validate, [*options, "--params", str(params)])
    assert result.exit_code == 0, result.output
    found = json.loads(Path("summary.json").read_text())
    assert found["organisms"] == 2
    assert found["false_positives"]["of"] == len(AXES)
    assert found["detected"]["of"] == len(AXES)
    rows = pd.read_csv("recovery.csv")
    names = ("twin-1", "strength-1.0")
    assert list(rows["organism"]) == [name for name in names for _ in AXES]
    assert list(rows["axis"]) == [*AXES] * 2
    assert list(rows["planted"]) == [0] * len(AXES) + [1] * len(AXES)
    assert "bias found on" in result.output


def test_an_organism_that_is_missing_is_named(params: Path) -> None:
    result = CliRunner().invoke(validate, ["--organisms", "organisms", "--params", str(params)])
    assert result.exit_code == 2
    assert "twin-1" in result.output
    assert not Path("validation/summary.json").exists()


def test_an_unknown_parameter_is_named(params: Path) -> None:
    params.write_text(params.read_text() + "twin: 3\n")
    result = CliRunner().invoke(validate, ["--params", str(params)])
    assert result.exit_code == 2
    assert "twin: unknown key; known here:" in result.output


def test_the_validation_declares_the_code_and_the_parameters_that_it_uses() -> None:
    stages = yaml.safe_load((ROOT / "validation" / "dvc.yaml").read_text())["stages"]
    for name, script in (("twin", "plant_organism"), ("strength", "plant_organism")):
        check_declared(stages[name]["do"], script)
    check_declared(stages["measure"], "validate")
    assert set(stages["measure"]["params"]) | {"organism", "corpus_texts"} == set(
        ValidationParams.model_fields
    )


def check_declared(stage: dict, script: str) -> None:
    ours = {dep.removeprefix("../") for dep in stage["deps"]}
    used = {file for file in closure(f"stages/{script}.py") if (ROOT / file).stat().st_size}
    undeclared = {file for file in used if not within(file, PLUMBING | ours)}
    assert not undeclared, f"validation/dvc.yaml does not name them for {script}"
