"""What is attacked: every stage of dvc.yaml, and every command of `evenkeel`, on real inputs.

Stages are those that dvc.yaml names, their inputs and outputs those that their own options name: a
new stage, or a new option, is attacked without a word here.
"""

import importlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from evenkeel.cli import group
from stages.command import Output
from tests.pipeline.recording import FILES, ROOT, Run, copy, reduced_stages

COMMANDS = {
    "detect": ["The nurse said that she was tired."],
    "export": ["exported", "--include-sinks"],
    "generate": ["The nurse said", "--max-new-tokens", "2"],
    "receptivity": ["--feature", "0", "--max-new-tokens", "2"],
}
"""Arguments of the commands that read files; inputs stand where their options say by default."""
INSPECTED = (
    "models/base", "models/probes", "models/vectors/gender/vectors",
    "data/activations/statements.h5", "reports/evaluation/gender/intervention",
)  # fmt: skip


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


def build(folder: Path) -> tuple[list[Target], list[str]]:
    """Run the pipeline once, a folder a stage, and say which stages could not be.

    Args:
        folder: an empty one.
    """
    targets, failed = [], []
    workspace = folder / "workspace"
    for run in reduced_stages():
        run.folder = folder / run.name.replace("@", "-")
        run.folder.mkdir(parents=True)
        for read in run.declared_reads:
            if (made := workspace / read).exists() or (made := ROOT / read).exists():
                copy(made, run.folder / read)
        shutil.copyfile(ROOT / "tests" / "reduced_params.yaml", run.folder / "params.yaml")
        for file in FILES:
            copy(ROOT / file, run.folder / file)
        problem = _first_run(run)
        if problem:
            failed.append(f"{run.name}: {problem}")
            continue
        for write in run.declared_writes:
            copy(run.folder / write, workspace / write)
        module, arguments = run.command[2], run.command[3:]
        command = importlib.import_module(module).main
        targets.append(target_of(run.name, command, arguments, run.folder))
    shutil.copyfile(ROOT / "tests" / "reduced_params.yaml", workspace / "params.yaml")
    lines = list(COMMANDS.items())
    lines += [("inspect", [path]) for path in INSPECTED]
    for number, (name, arguments) in enumerate(lines):
        place = folder / f"evenkeel-{name}-{number}"
        shutil.copytree(workspace, place)
        result = invoke(group.commands[name], arguments, place)
        if result.exit_code:
            failed.append(f"evenkeel {name}: {result.output[-300:]} {result.exception!r}")
        else:
            targets.append(target_of(f"evenkeel {name}", group.commands[name], arguments, place))
    return targets, failed


def invoke(command: click.Command, arguments: list[str], folder: Path) -> "CliRunner.Result":  # type: ignore[name-defined]
    """Run a command line in a folder, in this process."""
    wrapped = command
    if command in group.commands.values():
        wrapped, arguments = group, [str(command.name), *arguments]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(wrapped, arguments)


def _first_run(run: Run) -> str:
    command = importlib.import_module(run.command[2]).main
    result = invoke(command, run.command[3:], run.folder)
    return "" if result.exit_code == 0 else f"{result.output[-300:]} {result.exception!r}"


def target_of(name: str, command: click.Command, arguments: list[str], folder: Path) -> Target:
    """A command line that is to be run in a folder, with what its options name there."""
    context = command.make_context(name, list(arguments))
    inputs: list[Path] = []
    outputs: list[Path] = []
    for option in command.params:
        value = context.params.get(option.name or "")
        if not isinstance(value, Path):
            continue
        if isinstance(option.type, Output):
            within = option.type.within
            outputs.append(value / context.params[within] if within else value)
        elif (folder / value).exists():
            inputs.append(value)
    inside = [
        file.relative_to(folder)
        for path in inputs
        for file in sorted((folder / path).rglob("*"))
        if file.is_file() and file.name != ".evenkeel"
    ]
    return Target(
        name, command, list(arguments), folder, list(dict.fromkeys(inputs + inside)), outputs
    )
