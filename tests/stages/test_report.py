"""The report stage: metrics and tables in, one page and its figures out."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from stages.report import main
from tests.reporting.samples import make_results


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Path]:
    """Every option of the stage, its inputs in place."""
    results = make_results().model_dump(mode="json")
    for name in ("model", "probes", "evaluation"):
        (tmp_path / f"{name}.json").write_text(json.dumps(results[name]))
    for name in ("sweep", "occupations"):
        pd.DataFrame(results[name]).to_csv(tmp_path / f"{name}.csv", index=False)
    lines = [json.dumps(row) for row in results["continuations"]]
    (tmp_path / "continuations.jsonl").write_text("\n".join(lines) + "\n")
    return {
        **{name: tmp_path / f"{name}.json" for name in ("model", "probes", "evaluation")},
        **{name: tmp_path / f"{name}.csv" for name in ("sweep", "occupations")},
        "continuations": tmp_path / "continuations.jsonl",
        "output": tmp_path / "report.html",
        "figures": tmp_path / "figures",
    }


def run(options: dict[str, Path]) -> Result:
    arguments = [part for name, path in options.items() for part in (f"--{name}", str(path))]
    return CliRunner().invoke(main, arguments)


def contents(options: dict[str, Path]) -> dict[str, bytes]:
    files = [options["output"], *options["figures"].iterdir()]
    return {file.name: file.read_bytes() for file in files}


def test_the_stage_writes_page_and_figures(options: dict[str, Path]) -> None:
    result = run(options)
    assert result.exit_code == 0, result.output
    first = contents(options)
    assert set(first) == {"report.html", "probes.png", "sweep.png", "occupations.png"}
    assert b"removed 80 % [70, 90]" in first["report.html"]
    assert len(first["report.html"]) < 1e6
    assert run(options).exit_code == 0
    assert contents(options) == first


def drop_key(options: dict[str, Path]) -> None:
    raw = json.loads(options["evaluation"].read_text())
    del raw["selection"]["reason"]
    options["evaluation"].write_text(json.dumps(raw))


def drop_file(options: dict[str, Path]) -> None:
    options["sweep"].unlink()


def spoil_cell(options: dict[str, Path]) -> None:
    table = pd.read_csv(options["occupations"], dtype=object)
    table.loc[1, "baseline"] = "much"
    table.to_csv(options["occupations"], index=False)


def truncate(options: dict[str, Path]) -> None:
    options["probes"].write_bytes(options["probes"].read_bytes()[:-9])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_key, "evaluation.json: selection.reason: Field required; run the stage"),
        (drop_file, "sweep.csv: no such file"),
        (spoil_cell, "occupations.csv, line 3: baseline: Input should be a valid number"),
        (truncate, "probes.json: not a JSON file"),
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
