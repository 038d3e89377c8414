"""What is attacked: every stage of dvc.yaml, and every other command line, on real inputs.

Stages are those that dvc.yaml names, their inputs and outputs those that their own options name: a
new stage, or a new option, is attacked without a word here.
"""

import importlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import click

from evenkeel.files.markers import MARKER
from stages.command import Output
from tests.attack.invoking import Patch, invoke
from tests.attack.lines import LINES
from tests.pipeline.recording import FILES, ROOT, Run, copy, reduced_stages


@dataclass(frozen=True)
class Target:
    """A command line in a folder in which it succeeds."""

    name: str
    command: click.Command
    arguments: list[str]
    folder: Path
    inputs: list[Path]
    """Relative to the folder, and the files in those that are folders."""
    outputs: list[Path]
    printed: str | None = None
    """What it prints, where that is its result."""
    patches: tuple[Patch, ...] = ()
    status: int = 0


def build(folder: Path, names: str = "*") -> tuple[list[Target], list[str]]:
    """Run the pipeline once, a folder a stage, and say which stages could not be.

    Args:
        folder: an empty one, or one that was built before.
        names: of the stages that are run again where the folder was built before: a fork shares
            what they import.
    """
    targets, failed = [], []
    workspace = folder / "workspace"
    for run in reduced_stages():
        run.folder = folder / run.name.replace("@", "-")
        module, arguments = run.command[2], run.command[3:]
        command = importlib.import_module(module).main
        fresh = not run.folder.exists()
        if fresh:
            _put_in_place(run, workspace)
        if fresh or fnmatchcase(run.name, names):
            result = invoke(command, arguments, run.folder)
            if result.exit_code:
                failed.append(f"{run.name}: {result.output[-300:]} {result.exception!r}")
                shutil.rmtree(run.folder)
                continue
        if fresh:
            for write in run.declared_writes:
                copy(run.folder / write, workspace / write)
        targets.append(target_of(run.name, command, arguments, run.folder))
    return targets, failed


def _put_in_place(run: Run, workspace: Path) -> None:
    """What a stage declares that it reads, in its own folder."""
    run.folder.mkdir(parents=True)
    for read in run.declared_reads:
        if (made := workspace / read).exists() or (made := ROOT / read).exists():
            copy(made, run.folder / read)
    shutil.copyfile(ROOT / "tests" / "reduced_params.yaml", run.folder / "params.yaml")
    for file in FILES:
        copy(ROOT / file, run.folder / file)


def build_lines(folder: Path, names: str = "*") -> tuple[list[Target], list[str]]:
    """Run every other command line of such names once on what `build` made in a folder."""
    targets, failed = [], []
    for number, line in enumerate(LINES):
        if not fnmatchcase(line.name, names):
            continue
        place = folder / f"{line.name.replace(' ', '-')}-{number}"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder / "workspace", place)
        shutil.copyfile(ROOT / "tests" / "reduced_params.yaml", place / "params.yaml")
        line.prepare(place)
        before = target_of(line.name, line.command, line.arguments, place, line.patches)
        result = invoke(line.command, line.arguments, place, line.patches)
        if result.exit_code != line.status:
            failed.append(f"{line.name}: {result.output[-300:]} {result.exception!r}")
            continue
        after = target_of(line.name, line.command, line.arguments, place, line.patches)
        made = [path for path in after.inputs if path not in before.inputs]
        targets.append(
            replace(
                before,
                inputs=inside(place, line.inputs) if line.inputs else before.inputs,
                outputs=[*before.outputs, *made],
                printed=result.stdout if line.printed else None,
                status=line.status,
            )
        )
    return targets, failed


def target_of(
    name: str,
    command: click.Command,
    arguments: list[str],
    folder: Path,
    patches: tuple[Patch, ...] = (),
) -> Target:
    """A command line that is to be run in a folder, with what its options name there."""
    context = command.make_context(name, list(arguments))
    inputs: list[Path] = []
    outputs: list[Path] = []
    for option in command.params:
        value = context.params.get(option.name or "")
        if not isinstance(value, Path) or value == Path():
            continue
        if isinstance(option.type, Output):
            within = option.type.within
            outputs.append(value / context.params[within] if within else value)
        elif (folder / value).exists():
            inputs.append(value)
    found = inside(folder, inputs)
    return Target(name, command, list(arguments), folder, found, outputs, patches=patches)


def inside(folder: Path, paths: Iterable[str | Path]) -> list[Path]:
    """Paths in a folder, and the files in those of them that are folders."""
    files = [
        file.relative_to(folder)
        for path in paths
        for file in sorted((folder / path).rglob("*"))
        if file.is_file() and file.name != MARKER
    ]
    return list(dict.fromkeys([*map(Path, paths), *files]))
