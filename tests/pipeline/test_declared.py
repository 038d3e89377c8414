"""Declared = actual: what dvc.yaml says of a stage is what the stage does."""

import pytest

from tests.pipeline.imports import check_code
from tests.pipeline.recording import Run, reads_of, reduced_stages

pytestmark = pytest.mark.xdist_group("pipeline")  # one worker runs the pipeline for all

# Of it a stage reads what params.yaml names: here nothing. test_benchmarks names some.
CHOSEN = {"reports/metrics/benchmarks"}
STAGES = reduced_stages()


@pytest.mark.parametrize("index", range(len(STAGES)))
def test_a_stage_reads_and_writes_what_it_declares(runs: list[Run], index: int) -> None:
    run = runs[index]
    read = reads_of(run) | (run.declared_reads & CHOSEN)
    assert read - run.declared_writes == run.declared_reads, run.name
    assert run.writes == run.declared_writes, run.name


@pytest.mark.parametrize("index", range(len(STAGES)))
def test_a_stage_asks_for_the_parameters_that_it_declares(runs: list[Run], index: int) -> None:
    assert runs[index].params == runs[index].declared_params, runs[index].name


@pytest.mark.parametrize("run", STAGES, ids=lambda run: run.name)
def test_a_stage_declares_the_code_that_it_runs(run: Run) -> None:
    check_code(run)
