"""Options and outputs that the commands share."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evenkeel.errors import BadInputError

EVERY_AXIS = "all"
BY_AXIS = Path("reports/evaluation")
JOINT = Path("reports/evaluation_joint/intervention")

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
    help="Folder of the intervention to apply, instead of the one of --axis.",
)
axis_option = click.option(
    "--axis",
    default=EVERY_AXIS,
    help="Axis whose intervention the stage evaluate selected; all: those of all axes together, "
    "as evaluate_joint put them, or the only one that there is.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
file_option = click.option(
    "--file",
    "texts_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Texts, one a line, instead of one on the command line.",
)


def intervention_path(spec_path: Path | None, axis: str) -> Path:
    """The folder of the intervention that --spec or else --axis means.

    Raises:
        BadInputError: there is none of this axis, or for all of them several and no joint one.
    """
    if spec_path is not None:
        return spec_path
    by_axis = {path.parent.name: path for path in sorted(BY_AXIS.glob("*/intervention"))}
    if axis in by_axis:
        return by_axis[axis]
    if axis == EVERY_AXIS:
        if JOINT.exists():
            return JOINT
        if len(by_axis) == 1:
            return next(iter(by_axis.values()))
    wanted = (
        f"no intervention for --axis {axis} ({JOINT if axis == EVERY_AXIS else BY_AXIS / axis})"
    )
    there = ", ".join([*by_axis, *([EVERY_AXIS] if JOINT.exists() else [])])
    raise BadInputError(
        f"{wanted}; there are: {there}; choose one of them by --axis, or give --spec"
        if there
        else f"{wanted}, nor for any other; run the stage evaluate, or give --spec"
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
