"""What reaches the terminal: shown as it is, and never able to command it."""

import json
import logging
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from evenkeel.errors import BadInputError

_KEPT = {"\n", "\t", "\u200c", "\u200d"}  # the joiners are part of how some scripts are written
_ESCAPED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_WIDTH_OF_LOGS = 200
_OUT_OF_MEMORY = re.compile(r"can't allocate memory|out of memory", re.I)
"""In what torch says."""


def printable(text: object) -> str:
    """Text in which control and format characters are escaped, as in \\x1b and \\u202e.

    Prompts, files, file names, model names and what models write may hold sequences that move the
    cursor, rename the window or turn the reading direction round.
    """
    return "".join(
        character
        if character in _KEPT or unicodedata.category(character) not in _ESCAPED
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in str(text)
    )


def say(text: object, *, err: bool = False) -> None:
    """Print a line, `printable`, on stdout or stderr."""
    click.echo(printable(text), err=err)


def print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print one JSON object a line, exactly: JSON has escapes of its own."""
    for row in rows:
        click.echo(json.dumps(row, sort_keys=True, default=str))


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, lines: bool = False
) -> None:
    """Print a table: numbers to four significant digits and right-aligned, text as it is.

    Args:
        title: above it.
        columns: their names.
        rows: a cell a column each.
        lines: draw a line between rows, for cells of several lines.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(title=Text(printable(title)), title_justify="left", show_lines=lines)
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        table.add_column(Text(printable(column)), justify="right" if numeric else "left")
    for row in rows:
        cells = (f"{cell:.4g}" if isinstance(cell, float) else printable(cell) for cell in row)
        if not lines:  # else what follows a line break would pass for a row
            cells = (cell.replace("\n", r"\n") for cell in cells)
        table.add_row(*(Text(cell) for cell in cells))
    # Where there is no terminal rich would cut to 80 columns; a log takes what the table needs.
    Console(width=None if sys.stdout.isatty() else _WIDTH_OF_LOGS).print(table)


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Turn what the user can mend into one message on stderr and exit status 2.

    That is a BadInputError, and what the operating system refuses: a file that vanished, a disk
    that is full, no permission, no memory.
    """
    try:
        yield
    except BadInputError as error:
        say(f"error: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:  # who reads our output has seen enough: click's affair
        raise
    except OSError as error:
        if error.errno is None:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        say(f"error: {where}{error.strerror}; mend that and run again", err=True)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not _OUT_OF_MEMORY.search(str(error)):
            raise
        first_line = str(error).partition("\n")[0]
        say(
            f"error: not enough memory ({first_line or 'the system has none left'}); ask for less "
            "at once (smaller batches, fewer resamples or samples), or choose a smaller model",
            err=True,
        )
        sys.exit(2)


def _printable_error(error: click.ClickException) -> click.UsageError:
    return click.UsageError(printable(error.format_message()), getattr(error, "ctx", None))


class Command(click.Command):
    """A command whose own complaints about its options are printable."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*args, **options)
        except click.ClickException as error:
            raise _printable_error(error) from error


class Group(click.Group):
    """Commands under one name; what a user got wrong is one message and exit status 2."""

    command_class = Command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with failing_clearly():
                return super().invoke(ctx)
        except click.ClickException as error:
            raise _printable_error(error) from error


class PrintableFormatter(logging.Formatter):
    """Log records as `printable` lines."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def quiet_libraries() -> None:
    """Keep libraries to errors, and their bars to terminals; call it before they are imported.

    What the user has set in the environment stays.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it advises where all is well
    if not sys.stderr.isatty():  # their bars are for people; evenkeel.progress writes lines
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")  # read when tqdm is imported, by a library
