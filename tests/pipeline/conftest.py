"""The whole pipeline on reduced parameters, run once for all tests of this folder."""

from pathlib import Path

import pytest

from tests.pipeline.recording import (
    FILES,
    REDUCED,
    ROOT,
    Recorder,
    Run,
    copy,
    files_in,
    invoke,
    reduced_stages,
    within,
)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the outputs of all stages are once `runs` is there."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> list[Run]:
    """All stages, run in order; a stage that fails ends the session's pipeline tests."""
    recorder = Recorder()
    done = []
    for run in reduced_stages():
        run.folder = tmp_path_factory.mktemp(run.name.replace("@", "-"))
        for read in run.declared_reads:
            made = workspace / read  # or, in Git, there before any stage
            copy(made if made.exists() else ROOT / read, run.folder / read)
        copy(REDUCED, run.folder / "params.yaml")
        for file in FILES:
            copy(ROOT / file, run.folder / file)
        before = files_in(run.folder)
        invoke(run, recorder)
        run.writes = {within(f, run.declared_writes) or f for f in files_in(run.folder) - before}
        for write in run.declared_writes:
            copy(run.folder / write, workspace / write)
        done.append(run)
    return done
