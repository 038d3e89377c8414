"""Declared = actual: what dvc.yaml says of a stage is what the stage does."""

import pytest

from tests.pipeline.imports import closure
from tests.pipeline.recording import ROOT, Run, declared_stages, within

pytestmark = pytest.mark.xdist_group("pipeline")  # one worker runs the pipeline for all

# Plumbing that every stage passes through and that cannot change what it computes.
PLUMBING = {
    "evenkeel/__init__.py",
    "evenkeel/errors.py",
    "evenkeel/files.py",
    "evenkeel/params",
    "stages/__init__.py",
    "stages/command.py",
}
# What DVC itself reads for every stage; it takes no dvc.yaml as a dependency.
PIPELINE = {"dvc.yaml", "params.yaml"}


@pytest.mark.parametrize("index", range(len(declared_stages())))
def test_a_stage_reads_and_writes_what_it_declares(runs: list[Run], index: int) -> None:
    run = runs[index]
    read = {within(path, run.declared_reads) or path for path in run.reads - PIPELINE}
    assert read - run.declared_writes == run.declared_reads, run.name
    assert run.writes == run.declared_writes, run.name


@pytest.mark.parametrize("index", range(len(declared_stages())))
def test_a_stage_asks_for_the_parameters_that_it_declares(runs: list[Run], index: int) -> None:
    assert runs[index].params == runs[index].declared_params, runs[index].name


@pytest.mark.parametrize("run", declared_stages(), ids=lambda run: run.name)
def test_a_stage_declares_the_code_that_it_runs(run: Run) -> None:
    from dvc.repo import Repo

    script = run.command[2].replace(".", "/") + ".py"
    with Repo(str(ROOT)) as repo:
        (stage,) = repo.stage.collect(run.name)
        declared = {
            str(dep.def_path)
            for dep in stage.deps
            if str(dep.def_path).endswith(".py")
            or ((ROOT / str(dep.def_path)).is_dir() and str(dep.def_path).startswith("evenkeel"))
        }
    used = {
        file
        for file in closure(script)
        if not within(file, PLUMBING) and (ROOT / file).stat().st_size
    }
    undeclared = {file for file in used if not within(file, declared)}
    unused = {dep for dep in declared if not any(within(file, {dep}) for file in used)}
    assert not undeclared, f"{run.name} runs code that dvc.yaml does not name"
    assert not unused, f"{run.name} does not run code that dvc.yaml names"
