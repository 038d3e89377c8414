"""What every stage's command has in common: its options, its outputs, its errors, its table."""

import io
import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, redirect_stderr
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import click

from evenkeel import terminal
from evenkeel.errors import BadInputError
from evenkeel.files.inputs import real_path
from evenkeel.files.outputs import check_output, check_place
from evenkeel.terminal import Command, PrintableFormatter, failing_clearly, quiet_libraries, say

FilePath = click.Path(path_type=Path, dir_okay=False)
FolderPath = click.Path(path_type=Path, file_okay=False)
AnyPath = click.Path(path_type=Path)


class Output(click.Path):
    """A path that a stage writes; whether it can is found out before anything is computed.

    Args:
        kind: a file; a folder, which is replaced whole; either (a store, which becomes a folder
            when it is large); or a place, into which files are put beside those there.
        within: the option whose value names the folder in it that is meant.
    """

    def __init__(
        self, kind: Literal["file", "folder", "store", "place"], within: str | None = None
    ) -> None:
        files, folders = kind in ("file", "store"), kind != "file"
        super().__init__(path_type=Path, file_okay=files, dir_okay=folders)
        self.kind = kind
        self.within = within

    def check(self, path: Path) -> None:
        """Refuse a path that cannot be written, or holds what is not ours.

        Raises:
            BadInputError: saying which and why.
        """
        if self.kind == "place":
            check_place(path)
        else:
            folder = self.kind == "folder" or (self.kind == "store" and path.is_dir())
            check_output(path, folder=folder)


OutputFile = Output("file")
OutputFolder = Output("folder")
OutputStore = Output("store")
OutputPlace = Output("place")


def stage(function: Callable[..., None]) -> click.Command:
    """Make a Click command of a stage.

    Adds `--params`, `--quiet` and `--json`, checks the outputs, turns what a user can mend into its
    message on stderr and exit status 2, and prints how long the stage took (to the terminal only:
    durations never reach a file). Quiet or as JSON, bars and notes are left out; warnings and
    errors are not.
    """

    @wraps(function)
    def run(*, quiet: bool, as_json: bool, **options: Any) -> None:
        silent = quiet or as_json
        quiet_libraries()
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(PrintableFormatter("%(message)s"))
        logging.basicConfig(level=logging.WARNING if silent else logging.INFO, handlers=[handler])
        started = time.perf_counter()
        with failing_clearly():
            check_outputs(click.get_current_context())
            with redirect_stderr(io.StringIO()) if silent else nullcontext():
                function(**options)
        if not silent:
            say(f"done in {time.perf_counter() - started:.1f} s", err=True)

    options = (
        click.option(
            "--params",
            "params_path",
            type=FilePath,
            default=Path("params.yaml"),
            help="Parameter file.",
        ),
        click.option("--quiet", is_flag=True, help="Print warnings and errors only."),
        click.option(
            "--json", "as_json", is_flag=True, help="Print the table as JSON, a row a line."
        ),
    )
    command: Callable[..., None] = run
    for option in options:
        command = option(command)
    return click.command(cls=Command, context_settings={"show_default": True})(command)


def executor_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add what says who computes: `executor`, for `executor_of`.

    Options and environment, never the parameter file: who computes changes no byte of an output.
    """

    @wraps(function)
    def run(
        *, kind: Any, workers: int | None, cpus: float, gpus: float | None, **options: Any
    ) -> None:
        from evenkeel.execution.choosing import executor_of

        function(executor=executor_of(kind, workers, cpus, gpus), **options)

    options = (
        click.option(
            "--executor",
            "kind",
            type=click.Choice(["local", "ray"]),
            default="local",
            envvar="EVENKEEL_EXECUTOR",
            show_envvar=True,
            help="Who computes: processes of this machine, or actors of a Ray cluster.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            envvar="EVENKEEL_WORKERS",
            show_envvar=True,
            help="How many; one, or as many as the cluster has room for, if not given.",
        ),
        click.option(
            "--worker-cpus",
            "cpus",
            type=click.FloatRange(min=0, min_open=True),
            default=1.0,
            envvar="EVENKEEL_WORKER_CPUS",
            show_envvar=True,
            help="CPUs of each on a cluster.",
        ),
        click.option(
            "--worker-gpus",
            "gpus",
            type=click.FloatRange(min=0),
            envvar="EVENKEEL_WORKER_GPUS",
            show_envvar=True,
            help="GPUs of each on a cluster; one where there are any, if not given.",
        ),
    )
    wrapped: Callable[..., None] = run
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


def check_outputs(context: click.Context) -> None:
    """Check every output of a command before it runs.

    Raises:
        BadInputError: an output cannot be written, holds what is not ours, is also another option's
            path, or is a folder in which an input lies.
    """
    given = {
        option.name: (option.opts[0], option.type, context.params[option.name])
        for option in context.command.params
        if option.name and isinstance(context.params.get(option.name), Path)
    }
    for name, (flag, kind, path) in given.items():
        if not isinstance(kind, Output):
            continue
        for other_name, (other_flag, _, other) in given.items():
            if name != other_name and _in_the_way(path, other, kind):
                raise BadInputError(
                    f"{flag} {path}: would replace {other_flag} {other}; name another path"
                )
        kind.check(path / context.params[kind.within] if kind.within else path)


def _in_the_way(output: Path, other: Path, kind: Output) -> bool:
    """Whether writing an output would replace what another option names."""
    output, other = _place_of(output), _place_of(other)
    if kind.kind == "place" or kind.within:
        return False
    return output == other or (kind.kind == "folder" and other.is_relative_to(output))


def _place_of(path: Path) -> Path:
    """A path without links that lead to it; a file that is a link itself is not its target."""
    return real_path(path) if path.is_dir() else real_path(path.parent) / path.name


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print the stage's one table.

    Nothing if the stage is quiet; a JSON object a row if it was asked for JSON.
    """
    asked = click.get_current_context().params
    if asked["as_json"]:
        terminal.print_json(dict(zip(columns, row, strict=True)) for row in rows)
    elif not asked["quiet"]:
        terminal.print_table(title, columns, rows)
