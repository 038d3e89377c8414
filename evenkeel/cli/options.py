"""Options and outputs that the commands share."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from evenkeel.errors import BadInputError
from evenkeel.files import lines_of
from evenkeel.terminal import print_json, print_table

__all__ = [
    "file_option", "json_option", "model_option", "print_json", "print_rows", "spec_option",
    "texts_of",
]  # fmt: skip

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
