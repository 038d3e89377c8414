"""A benchmark run says all that a reader must know, and steering is what it compares."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.params import BenchmarkName
from evenkeel.public_benchmarks.results import BenchmarkResult
from evenkeel.public_benchmarks.running import run_benchmark
from evenkeel.reporting.benchmarks import Benchmark, make_section
from evenkeel.reporting.figures.rules import MANY, rules_figure
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate
from evenkeel.steering.spec import InterventionSpec
from tests.public_benchmarks import samples
from tests.public_benchmarks.conftest import measured

WRITERS: dict[str, Callable[[Path], Path]] = {
    "crows_pairs": samples.write_crows_pairs,
    "stereoset": samples.write_stereoset,
    "winobias": samples.write_winobias,
    "winogender": samples.write_winogender,
    "bbq": samples.write_bbq,
    "decisions": samples.write_decisions,
    "specificity": samples.write_specificity,
}


def write(name: str, folder: Path) -> Path:
    if name == "wikitext":
        (folder / "valid.txt").write_text("The lobster is blue . \n" * 40)
        return folder
    return WRITERS[name](folder)


@pytest.fixture(scope="module")
def spec() -> InterventionSpec:
    direction = torch.linspace(-1, 1, 16)
    return InterventionSpec((Ablate(direction, layer=0, site="resid_post"),))


def run(name: Any, path: Path, loaded: LoadedModel, spec: InterventionSpec) -> BenchmarkResult:
    return run_benchmark(
        name, path, loaded, spec, batch_tokens=512, stride=None, resamples=100, seed=0
    )


@pytest.mark.parametrize("name", get_args(BenchmarkName))
def test_every_benchmark_states_rules_version_size_and_competence(
    name: BenchmarkName, loaded: LoadedModel, spec: InterventionSpec, tmp_path: Path
) -> None:
    result = run(name, write(name, tmp_path), loaded, spec)
    record = json.loads(json.dumps(result.record, allow_nan=False))
    assert record["benchmark"] == name
    assert record["rules"].keys() == record["figures"].keys()
    assert all(len(file["sha256"]) == 64 for file in record["data"]["files"].values())
    assert not any(file["official"] for file in record["data"]["files"].values())
    assert record["size"]
    for groups in record["figures"].values():
        for figures in groups.values():
            assert any("chance" in figure for figure in figures.values())
            biased = [figure for figure in figures.values() if {"unbiased", "best"} & figure.keys()]
            assert bool(biased) == (name != "wikitext")
            assert biased == [each for each in figures.values() if "too_weak_to_tell" in each]
            assert all(
                figure["too_weak_to_tell"].keys() == {"baseline", "steered"} for figure in biased
            )
    assert len(result.rows) >= sum(
        len(figures) for groups in record["figures"].values() for figures in groups.values()
    )
    columns, rows = result.table
    assert rows
    assert all(len(row) == len(columns) for row in rows)


@pytest.mark.parametrize("name", get_args(BenchmarkName))
def test_the_report_shows_what_every_benchmark_writes(
    name: BenchmarkName, loaded: LoadedModel, spec: InterventionSpec, tmp_path: Path
) -> None:
    result = run(name, write(name, tmp_path), loaded, spec)
    section = make_section(Benchmark.model_validate(json.loads(json.dumps(result.record))))
    shown = [measure.name for measure in section.wording.measures]
    assert [block.measure.name for block in section.blocks] == shown
    drawing = rules_figure(section, ["gender"])
    rules = [
        rule for rule, groups in section.benchmark.figures.items() if shown[0] in groups["all"]
    ]
    assert (drawing is not None) == (len(rules) >= MANY)
    if drawing is not None:
        assert {row["rule"] for row in drawing.rows} == set(rules)
        assert "<svg" in drawing.svg()


def test_steered_figures_are_those_of_the_steered_model(
    loaded: LoadedModel, spec: InterventionSpec, tmp_path: Path
) -> None:
    path = samples.write_crows_pairs(tmp_path)
    before = measured(loaded, "crows_pairs", path)
    with steer(loaded.model, spec):
        steered = measured(loaded, "crows_pairs", path)
    figures = run("crows_pairs", path, loaded, spec).figures
    moved = 0.0
    for figure in figures:
        key = figure.measure.rule, figure.measure.group, figure.measure.name
        pairs = ((before[key], figure.baseline), (steered[key], figure.steered))
        for measure, estimate in pairs:
            assert estimate is not None
            assert estimate.value == pytest.approx(measure.statistic(*measure.columns), abs=1e-6)
        assert figure.change is not None
        assert figure.change.value is not None
        moved += abs(figure.change.value)
    assert moved > 0.1


def test_without_an_intervention_nothing_is_said_of_a_steered_model(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    path = samples.write_winogender(tmp_path)
    result = run("winogender", path, loaded, InterventionSpec(()))
    assert all(figure.steered is None for figure in result.figures)
    assert "steered" not in json.dumps(result.record)


def test_an_intervention_that_given_text_never_sees_is_refused(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    late = Ablate(torch.ones(16), layer=0, site="resid_post", positions="generated")
    path = samples.write_crows_pairs(tmp_path)
    with pytest.raises(
        BadInputError, match="at positions 'generated' has no meaning on benchmarks"
    ):
        run("crows_pairs", path, loaded, InterventionSpec((late,)))


def test_items_that_do_not_fit_are_counted(
    loaded: LoadedModel, spec: InterventionSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded.model.config, "n_positions", 30)
    size = run("crows_pairs", samples.write_crows_pairs(tmp_path), loaded, spec).task.size
    assert size["pairs"] + size["left_out"] == len(samples.CROWS_PAIRS)
    assert size["left_out"] > 0
    monkeypatch.setattr(loaded.model.config, "n_positions", 5)
    with pytest.raises(BadInputError, match="CrowS-Pairs: no item fits the model's context of 5"):
        run("crows_pairs", tmp_path / "crows_pairs_anonymized.csv", loaded, spec)
