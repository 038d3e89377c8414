"""Options and outputs that the commands share."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from evenkeel.errors import BadInputError
from evenkeel.files import lines_of
from evenkeel.terminal import print_json, print_table

__all__ = [
    "file_option", "json_option", "model_option", "print_json", "print_rows", "spec_option",
    "texts_of",
]  # fmt: skip

EVERY_AXIS = "all"
BY_AXIS = Path("reports/evaluation")
JOINT = Path("reports/evaluation_joint/intervention")


class Number(click.FloatRange):
    """A number in a range: NaN, which no range refuses, and infinity are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


Seed = click.IntRange(0, 2**63 - 1)
Temperature = Number(0, 1000)
Share = Number(0, 1, min_open=True)

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
        BadInputError: neither or both are given, or the file is missing, is not UTF-8 or holds no
            text.
    """
    if (text is None) == (path is None):
        raise BadInputError("give either a text or --file")
    if text is not None:
        return [text]
    assert path is not None
    texts = [line for _, line in lines_of(path, "name a file of texts, one a line")]
    if not texts:
        raise BadInputError(f"--file {path}: no text in it")
    return texts


def print_rows(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of texts, which may run over several lines."""
    print_table(title, columns, rows, lines=True)
