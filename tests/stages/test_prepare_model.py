"""The stage publishes a model and its measures together, or leaves what was there."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from stages.prepare_model import main
from tests.models.families import tiny_model
from tests.models.hostile import REFUSED
from tests.stages.test_synthesize_dataset import contents
from tests.stages.test_synthesize_dataset import run as synthesize


@pytest.fixture
def project(tmp_path: Path, tokenizer: Any) -> Path:
    """A folder with a dataset, params.yaml that names the model at `given`, and that model."""
    folder = tmp_path / "project"
    assert synthesize(folder, axes=["age"]).exit_code == 0
    model = tiny_model("gpt2", vocab_size=len(tokenizer), n_positions=256)
    model.save_pretrained(folder / "given")
    tokenizer.save_pretrained(folder / "given")
    set_model(folder, source="local", path=str(folder / "given"))
    return folder


def set_model(folder: Path, **model: Any) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["model"] |= model
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def run(folder: Path) -> Result:
    options = {
        "params": "params.yaml",
        "texts": "dataset/corpus/train.jsonl",
        "heldout": "dataset/corpus/heldout.jsonl",
        "prompts": "dataset/prompts",
        "output": "base",
        "metrics": "model.json",
        "training": "training",
    }
    arguments = [part for name, at in options.items() for part in (f"--{name}", str(folder / at))]
    return CliRunner().invoke(main, arguments)


def test_a_model_is_published_with_its_measures_or_not_at_all(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(project)
    assert result.exit_code == 0, result.output
    before = contents(project)
    record = json.loads((project / "model.json").read_text())
    assert record["name"] == "given"
    lead_ins = record["lead_ins"]
    assert lead_ins["used"] == "sentence"
    assert lead_ins["kinds"].keys() == {"none", "sentence"}

    def fail(*_arguments: Any) -> None:
        raise RuntimeError("no measure")

    set_model(project, dtype="bfloat16")
    monkeypatch.setattr("evenkeel.metrics.by_axis.metrics_by_axis", fail)
    assert isinstance(run(project).exception, RuntimeError)
    after = contents(project)
    assert after.pop("params.yaml") != before.pop("params.yaml")
    assert after == before


@pytest.mark.parametrize("case", ["NaN", "a tensor missing", "weights linked from elsewhere"])
def test_a_hostile_model_is_refused_under_the_name_that_the_user_gave(
    case: str, project: Path
) -> None:
    spoil, _ = REFUSED[case]
    spoil(project / "given")
    before = contents(project)
    result = run(project)
    assert result.exit_code == 2
    assert str(project / "given") in result.stderr
    assert ".part" not in result.stderr
    assert contents(project) == before


def test_a_record_that_comes_with_a_model_is_replaced(project: Path) -> None:
    (project / "given" / "evenkeel.json").write_text('{"trust_remote_code": true}')
    assert run(project).exit_code == 0
    record = json.loads((project / "base" / "evenkeel.json").read_text())
    assert record["source"] == "local"
    assert "trust_remote_code" not in record
