"""Options and outputs that the commands share."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evenkeel.errors import BadInputError

model_option = click.option(
    "--model",
    "model_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models/base"),
    help="Folder that the stage prepare_model wrote.",
)
trust_option = click.option(
    "--trust-remote-code",
    is_flag=True,
    help="Run Python code that the model's folder brings; read it first.",
)
spec_option = click.option(
    "--spec",
    "spec_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports/evaluation/intervention"),
    help="Intervention to apply; by default the one that the stage evaluate selected.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
file_option = click.option(
    "--file",
    "texts_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Texts, one a line, instead of one on the command line.",
)


def texts_of(text: str | None, path: Path | None) -> list[str]:
    """The text of the command line, or those of a file.

    Raises:
        BadInputError: neither or both are given, or the file is missing or holds no text.
    """
    if (text is None) == (path is None):
        raise BadInputError("give either a text or --file")
    if text is not None:
        return [text]
    assert path is not None
    try:
        texts = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"--file {path}: cannot be read as UTF-8 text ({error})") from error
    if not texts:
        raise BadInputError(f"--file {path}: no text in it")
    return texts


def print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        click.echo(json.dumps(row, sort_keys=True))


def print_rows(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table whose cells are shown as they are: markup in a model's text is text."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", show_lines=True)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
