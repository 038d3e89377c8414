"""The report stage: metrics and tables in, one page and its figures out."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from evenkeel.files.markers import MARKER
from stages.report import main
from tests.reporting.samples import interpretations, write_inputs
from tests.stages.conftest import set_params


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Path]:
    """Every option of the stage, its inputs in place."""
    set_params(tmp_path, "benchmarks.run", {"crows_pairs": "pairs.csv"})
    set_params(tmp_path, "benchmarks.harness.tasks", ["choose"])
    set_params(tmp_path, "evaluation.axes", ["gender", "race"])
    set_params(tmp_path, "interpretation.features", [row.feature for row in interpretations()])
    return write_inputs(tmp_path) | {
        "params": tmp_path / "params.yaml",
        "output": tmp_path / "report.html",
        "figures": tmp_path / "figures",
    }


def run(options: dict[str, Path]) -> Result:
    arguments = [part for name, path in options.items() for part in (f"--{name}", str(path))]
    return CliRunner().invoke(main, arguments)


def contents(options: dict[str, Path]) -> dict[str, bytes]:
    figures = [path for path in options["figures"].rglob("*") if path.is_file()]
    drawn = {str(path.relative_to(options["figures"])): path.read_bytes() for path in figures}
    return {"report.html": options["output"].read_bytes()} | drawn


def test_the_stage_writes_page_and_figures(options: dict[str, Path]) -> None:
    result = run(options)
    assert result.exit_code == 0, result.output
    first = contents(options)
    of_an_axis = ("dose", "items", "layers", "localisation", "nulls", "pareto", "sweep")
    shared = (
        "benchmark_crows_pairs",
        "joint/cross",
        "lineage",
        "probes",
        "projections",
        "recovery",
    )
    drawn = [*shared, *(f"{axis}/{name}" for axis in ("gender", "race") for name in of_an_axis)]
    files = {f"{name}.{kind}" for name in drawn for kind in ("csv", "png", "svg")}
    assert set(first) == {"report.html", MARKER} | files
    assert "removes 80\N{NO-BREAK SPACE}% [70, 90]".encode() in first["report.html"]
    assert b"choose, through lm-evaluation-harness" in first["report.html"]
    assert b"benchmarks/crows_pairs.json</th>" in first["report.html"]
    assert len(first["report.html"]) < 1e6
    assert run(options).exit_code == 0
    assert contents(options) == first


def test_results_and_axes_that_params_do_not_name_are_not_shown(options: dict[str, Path]) -> None:
    set_params(options["params"].parent, "benchmarks.run", {})
    set_params(options["params"].parent, "benchmarks.harness.tasks", [])
    set_params(options["params"].parent, "evaluation.axes", ["race"])
    (options["metrics"] / "evaluation" / "joint.json").unlink()
    assert run(options).exit_code == 0
    page = options["output"].read_text()
    assert "CrowS-Pairs" not in page
    assert 'id="axis-race"' in page
    assert 'id="axis-gender"' not in page


def drop_benchmark(options: dict[str, Path]) -> None:
    (options["metrics"] / "benchmarks" / "crows_pairs.json").unlink()


def spoil_benchmark(options: dict[str, Path]) -> None:
    path = options["metrics"] / "benchmarks" / "crows_pairs.json"
    path.write_text(path.read_text().replace('"unbiased":0.5', '"unbiased":"half"'))


def drop_key(options: dict[str, Path]) -> None:
    path = options["metrics"] / "evaluation" / "race.json"
    raw = json.loads(path.read_text())
    del raw["selection"]["reason"]
    path.write_text(json.dumps(raw))


def _drop(path: Path, key: str) -> None:
    raw = json.loads(path.read_text())
    del raw[key]
    path.write_text(json.dumps(raw))


def drop_auto(options: dict[str, Path]) -> None:
    _drop(options["metrics"] / "evaluation" / "race.json", "auto")


def drop_axes(options: dict[str, Path]) -> None:
    _drop(options["metrics"] / "model.json", "axes")


def empty_explanations(options: dict[str, Path]) -> None:
    (options["features"] / "interpretations.jsonl").write_text("")


def drop_file(options: dict[str, Path]) -> None:
    (options["plots"] / "evaluation" / "race" / "sweep.csv").unlink()


def drop_joint(options: dict[str, Path]) -> None:
    (options["metrics"] / "evaluation" / "joint.json").unlink()


def spoil_recipe(options: dict[str, Path]) -> None:
    path = options["plots"] / "evaluation" / "gender" / "sweep.csv"
    path.write_text(path.read_text().replace("16|87", "16|x"))


def spoil_cell(options: dict[str, Path]) -> None:
    path = options["plots"] / "evaluation" / "gender" / "items.csv"
    table = pd.read_csv(path, dtype=object)
    table.loc[1, "baseline"] = "much"
    table.to_csv(path, index=False)


def drop_column(options: dict[str, Path]) -> None:
    path = options["features"] / "features.parquet"
    pd.read_parquet(path).drop(columns="kurtosis").to_parquet(path)


def no_pipeline(options: dict[str, Path]) -> None:
    options["pipeline"].write_text("vars: []")


def truncate(options: dict[str, Path]) -> None:
    path = options["metrics"] / "probes.json"
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_key, "race.json: selection.reason: Field required; run the stage"),
        (drop_auto, "race.json: auto: Field required; run the stage"),
        (drop_axes, "model.json: axes: Field required; run the stage"),
        (empty_explanations, "interpretations.jsonl: no row of feature"),
        (drop_file, "race/sweep.csv: no such file"),
        (drop_joint, "joint.json: no such file"),
        (spoil_recipe, "sweep.csv, line 5: features.1: Input should be a valid integer"),
        (spoil_cell, "items.csv, line 3: baseline: Input should be a valid number"),
        (drop_column, "not a table of features"),
        (no_pipeline, "dvc.yaml: not a pipeline of DVC"),
        (truncate, "probes.json: not a JSON file"),
        (drop_benchmark, "crows_pairs.json: no such file; run the stage"),
        (spoil_benchmark, "stereotype_preferred.unbiased: Input should be a valid number"),
    ],
)
def test_bad_input_leaves_an_earlier_report_alone(
    options: dict[str, Path], spoil: Any, message: str
) -> None:
    options["output"].write_text("earlier")
    spoil(options)
    result = run(options)
    assert result.exit_code == 2
    assert message in result.output.replace("\n", "")
    assert options["output"].read_text() == "earlier"
    assert not options["figures"].exists()
