"""Reading a benchmark's files: whatever is wrong with one, the message names the line."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from evenkeel import files
from evenkeel.errors import BadInputError

ADVICE = "name the benchmark's file or folder, or fetch it again"


def file_of(path: Path, name: str) -> Path:
    """The file `name` in the folder `path`, or `path` itself where that is a file."""
    return path / name if path.is_dir() else path


def text_of(file: Path) -> str:
    """A file's text, its lines ended by LF.

    Raises:
        BadInputError: it is missing, not UTF-8 or empty.
    """
    text = files.text_of(file, ADVICE)
    if not text.strip():
        raise _empty(file)
    return text


def lines_of(file: Path) -> list[tuple[int, str]]:
    """A file's lines that are not blank, with their numbers.

    Raises:
        BadInputError: it is missing, not UTF-8 or empty.
    """
    lines = list(files.lines_of(file, ADVICE))
    if not lines:
        raise _empty(file)
    return lines


def wrong_line(file: Path, line: int, problem: str) -> BadInputError:
    """The error of a line that is not what the benchmark's format says."""
    return BadInputError(f"{file}, line {line}: {problem}")


def table_of(
    file: Path, columns: Sequence[str], delimiter: Literal[",", "\t"] = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a table with a header, each with the number of the line on which it ends.

    Args:
        file: comma-separated with quotes, or tab-separated without.
        columns: those that must be there and filled; others are passed over.
        delimiter: which of them.

    Raises:
        BadInputError: a column is missing, or a row has too few, too many or empty fields.
    """
    found = False
    for line, row in files.rows_of(file, delimiter, ADVICE, columns):
        found = True
        empty = [name for name in columns if not row[name].strip()]
        if empty:
            raise wrong_line(file, line, f"{empty[0]!r} is empty")
        yield line, row
    if not found:
        raise BadInputError(f"{file}: no rows; {ADVICE}")


def _empty(file: Path) -> BadInputError:
    return BadInputError(f"{file}: empty; fetch the file again")
