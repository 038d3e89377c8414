"""What every stage's command has in common: its options, its errors, its table."""

import io
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, redirect_stderr
from functools import wraps
from pathlib import Path
from typing import Any

import click

from evenkeel.errors import BadInputError
from evenkeel.terminal import quiet_libraries

FilePath = click.Path(path_type=Path, dir_okay=False)
FolderPath = click.Path(path_type=Path, file_okay=False)


def stage(function: Callable[..., None]) -> click.Command:
    """Make a Click command of a stage.

    Adds `--params`, `--quiet` and `--json`, turns a BadInputError into its message on stderr and
    exit status 2, and prints how long the stage took (to the terminal only: durations never reach a
    file). Quiet or as JSON, bars and notes are left out; warnings and errors are not.
    """

    @wraps(function)
    def run(*, quiet: bool, as_json: bool, **options: Any) -> None:
        silent = quiet or as_json
        quiet_libraries()
        level = logging.WARNING if silent else logging.INFO
        logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
        started = time.perf_counter()
        try:
            with redirect_stderr(io.StringIO()) if silent else nullcontext():
                function(**options)
        except BadInputError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)
        if not silent:
            click.echo(f"done in {time.perf_counter() - started:.1f} s", err=True)

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
    return click.command(context_settings={"show_default": True})(command)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print the stage's one table: numbers to four significant digits, right-aligned.

    Nothing if the stage is quiet; a JSON object a row if it was asked for JSON.
    """
    asked = click.get_current_context().params
    if asked["as_json"]:
        for row in rows:
            named = dict(zip(columns, row, strict=True))
            click.echo(json.dumps(named, sort_keys=True, default=str))
        return
    if asked["quiet"]:
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    rows = [list(row) for row in rows]
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row))
    # Where there is no terminal rich would cut to 80 columns; a log takes what the table needs.
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
