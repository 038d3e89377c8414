"""Every stage of the pipeline files, run once on reduced parameters, each in a folder of its own.

A stage's folder holds the files that they declare as its dependencies and nothing else, so a
stage that reads more fails; what it opens, asks of params.yaml and leaves behind is recorded.
"""

import contextlib
import importlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import pytest
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
REDUCED = ROOT / "tests" / "reduced_params.yaml"
CODE = ("evenkeel", "stages")
PIPELINES = sorted(str(f.relative_to(ROOT)) for f in ROOT.glob("pipelines/*/dvc.yaml"))
FILES = ("dvc.yaml", *PIPELINES, "validation/real/dvc.yaml")
# What DVC itself reads for every stage; it takes no dvc.yaml as a dependency.
PIPELINE = {*FILES, "params.yaml"}


@dataclass
class Run:
    """What a stage declares, and what it did."""

    name: str
    command: list[str]
    declared_reads: set[str]
    declared_writes: set[str]
    declared_params: set[str]
    declared_code: set[str]
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    params: set[str] = field(default_factory=set)
    folder: Path = Path()
    output: str = ""


def declared_stages(root: Path = ROOT) -> list[Run]:
    """The stages of all pipeline files as DVC itself resolves them, in an order that can run."""
    from dvc.dependency.param import ParamsDependency
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        runs = []
        for stage in repo.index.stages:
            files = [d for d in stage.deps if not isinstance(d, ParamsDependency)]
            keys = [key for d in stage.deps if isinstance(d, ParamsDependency) for key in d.params]
            deps = {str(dependency.def_path) for dependency in files}  # all from the root
            code = {path for path in deps if path.startswith(CODE)}
            writes = {str(out.def_path) for out in stage.outs}
            commands = [stage.cmd] if isinstance(stage.cmd, str) else stage.cmd
            command = shlex.split(commands[-1])  # those before it check what it holds
            runs.append(
                Run(stage.addressing.split(":")[-1], command, deps - code, writes, set(keys), code)
            )
    ordered: list[Run] = []
    while runs:
        waiting = {out for run in runs for out in run.declared_writes}
        ready = [run for run in runs if not _waits(run, waiting)]
        assert ready, "the stages wait for one another in a circle"
        ordered += ready
        runs = [run for run in runs if run not in ready]
    return ordered


def reduced_stages() -> list[Run]:
    """The stages that the reduced parameters ask for."""
    from dvc.repo import Repo

    with tempfile.TemporaryDirectory() as folder:
        for file in FILES:
            copy(ROOT / file, Path(folder) / file)
        copy(REDUCED, Path(folder) / "params.yaml")
        Repo.init(folder, no_scm=True).close()
        return declared_stages(Path(folder))


def _waits(run: Run, waiting: set[str]) -> bool:
    """Whether it reads what is still to be written, or a folder with some of that."""
    reads = run.declared_reads
    return any(within(read, waiting) for read in reads) or any(within(w, reads) for w in waiting)


def within(path: str, folders: set[str]) -> str | None:
    """Which of `folders` (or files) holds `path`."""
    return next((f for f in folders if path == f or path.startswith(f + "/")), None)


class Recorder:
    """Listens to Python's audit events while a stage runs."""

    def __init__(self) -> None:
        self.run: Run | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self.run is None:
            return
        if event == "open" and isinstance(args[0], str | bytes | os.PathLike):
            writing = isinstance(args[1], str) and set(args[1]) & set("wax+")
            self._note(os.fsdecode(args[0]), bool(writing))
        elif event == "evenkeel.params":
            self.run.params.add(args[0])

    def _note(self, path: str, writing: bool) -> None:
        assert self.run is not None
        full = Path(path).absolute()
        if full.is_relative_to(self.run.folder) and not writing:
            inside = full.relative_to(self.run.folder)  # .part: its own, not yet renamed
            # Python looks for modules at each entry of its path, also at those that name no place.
            importing = bool(inside.parts) and inside.parts[0] in sys.path
            if not importing and not any(p.endswith((".part", ".lock")) for p in inside.parts):
                self.run.reads.add(str(inside))

    @contextlib.contextmanager
    def listening(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        plain = h5py.File.__init__

        def hdf5(file: Any, name: Any, mode: str = "r", **options: Any) -> None:
            if isinstance(name, str | bytes | os.PathLike):  # or a handle of an open file
                self._note(os.fsdecode(name), mode != "r")  # opened in C, which raises no event
            plain(file, name, mode, **options)

        with monkeypatch.context() as patch:
            patch.setattr(h5py.File, "__init__", hdf5)
            self.run = run
            try:
                yield
            finally:
                self.run = None


def reads_of(run: Run) -> set[str]:
    """What a stage read, as it declares it where it does.

    The folders that lead to an output are listed for what a killed run left there.
    """
    leading = {str(parent) for path in run.declared_writes for parent in Path(path).parents}
    return {within(path, run.declared_reads) or path for path in run.reads - PIPELINE - leading}


def invoke(run: Run, recorder: Recorder | None = None) -> None:
    """Run a stage's own command line in its folder."""
    python, flag, module, *arguments = run.command
    assert (python, flag) == ("python", "-m")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.chdir(run.folder)
    try:
        command = importlib.import_module(module).main
        listening = recorder.listening(run, monkeypatch) if recorder else contextlib.nullcontext()
        with listening:
            result = CliRunner().invoke(command, arguments)
    finally:
        monkeypatch.undo()
    assert result.exit_code == 0, f"{run.name}: {result.output}\n{result.exception!r}"
    run.output = result.output


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def files_in(folder: Path) -> set[str]:
    return {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}
