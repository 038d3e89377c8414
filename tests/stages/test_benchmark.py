"""The stages of public benchmarks: files in, files out, the same bytes twice; dvc.yaml says so."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result

from evenkeel.errors import BadInputError
from evenkeel.params import load_params
from evenkeel.steering.intervention import Ablate
from evenkeel.steering.spec import InterventionSpec
from stages.benchmark import main
from stages.download_benchmark import main as download
from tests.public_benchmarks.samples import write_crows_pairs
from tests.stages.conftest import set_params


@pytest.fixture
def inputs(workspace: Path) -> dict[str, str]:
    """Every option of the stage, its inputs in place."""
    direction = torch.linspace(-1, 1, 32)
    spec = InterventionSpec((Ablate(direction, layer=1, site="resid_post"),))
    spec.save(workspace / "intervention")
    set_params(workspace, "benchmarks.resamples", 100)
    return {
        "name": "crows_pairs",
        "data": str(write_crows_pairs(workspace)),
        "model": "model",
        "intervention": "intervention",
        "metrics": "benchmark.json",
        "plot": "benchmark.csv",
    }


def run(options: dict[str, str]) -> Result:
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return CliRunner().invoke(main, arguments)


def test_the_stage_writes_what_it_says_twice_alike(inputs: dict[str, str]) -> None:
    result = run(inputs)
    assert result.exit_code == 0, result.output
    assert "7 pairs" in result.output
    record = json.loads(Path(inputs["metrics"]).read_text())
    figure = record["figures"]["bos_sum"]["all"]["stereotype_preferred"]
    assert {"baseline", "baseline_ci95", "steered", "difference", "choices"} <= figure.keys()
    table = pd.read_csv(inputs["plot"])
    own = table[(table.rule == "bos_sum") & (table.group == "all")].set_index("measure")
    assert own.loc["stereotype_preferred", "steered"] == pytest.approx(figure["steered"])
    assert set(table.kind) == {"bias", "competence"}
    before = [Path(inputs[name]).read_bytes() for name in ("metrics", "plot")]
    assert run(inputs).exit_code == 0
    assert [Path(inputs[name]).read_bytes() for name in ("metrics", "plot")] == before


def test_bad_input_leaves_earlier_outputs_alone(inputs: dict[str, str]) -> None:
    Path(inputs["metrics"]).write_text("earlier")
    Path(inputs["data"]).write_text("sent_more,sent_less\n")
    result = run(inputs)
    assert result.exit_code == 2
    assert "crows_pairs_anonymized.csv, line 1: no column 'stereo_antistereo'" in result.output
    assert Path(inputs["metrics"]).read_text() == "earlier"
    assert not Path(inputs["plot"]).exists()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds params.yaml alone."""
    set_params(tmp_path, "benchmarks.resamples", 100)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_params_do_not_name_is_not_fetched(project: Path) -> None:
    result = CliRunner().invoke(download, ["--name", "bbq", "--output", "data"])
    assert result.exit_code == 2
    assert "benchmarks.download.bbq is not there" in result.output
    assert not Path("data").exists()


def test_an_unreachable_source_is_said_and_leaves_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params(project, "benchmarks.download", {"crows_pairs": {}})
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    result = CliRunner().invoke(download, ["--name", "crows_pairs", "--output", "data"])
    assert result.exit_code == 2
    assert "cannot be fetched" in result.output
    assert "benchmarks.run" in result.output
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "benchmarks.run",
            {"crowspairs": "x"},
            r"benchmarks\.run\.crowspairs.*Input should be 'cr",
        ),
        ("benchmarks.run", {"bbq": ""}, r"benchmarks\.run\.bbq: String should match pattern"),
        (
            "benchmarks.download",
            {"bbq": {"a": "1"}},
            r"benchmarks\.download\.bbq\.a: String should",
        ),
    ],
)
def test_a_wrong_benchmark_is_named_by_its_path(
    project: Path, key: str, value: Any, message: str
) -> None:
    set_params(project, key, value)
    with pytest.raises(BadInputError, match=message):
        load_params(project / "params.yaml", "seed")
