"""Reading a benchmark's files: whatever is wrong with one, the message names the line."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from evenkeel.errors import BadInputError


def file_of(path: Path, name: str) -> Path:
    """The file `name` in the folder `path`, or `path` itself where that is a file."""
    return path / name if path.is_dir() else path


def text_of(file: Path) -> str:
    """A file's text.

    Raises:
        BadInputError: it is missing, not UTF-8 or empty.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise BadInputError(f"{file}: no such file; name the benchmark's file or folder") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadInputError(f"{file}, line {line}: not UTF-8 text; fetch the file again") from error
    if not text.strip():
        raise BadInputError(f"{file}: empty; fetch the file again")
    return text


def wrong_line(file: Path, line: int, problem: str) -> BadInputError:
    """The error of a line that is not what the benchmark's format says."""
    return BadInputError(f"{file}, line {line}: {problem}")


def table_of(
    file: Path, columns: Sequence[str], delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a table with a header, each with the number of the line on which it ends.

    Args:
        file: comma-separated with quotes, or tab-separated without.
        columns: those that must be there and filled; others are passed over.

    Raises:
        BadInputError: a column is missing, or a row has too few, too many or empty fields.
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
    stream = io.StringIO(text_of(file), newline="")
    rows = csv.DictReader(stream, delimiter=delimiter, quoting=quoting, strict=True)
    found = False
    try:
        missing = [name for name in columns if name not in (rows.fieldnames or ())]
        if missing:
            raise wrong_line(file, 1, f"no column {missing[0]!r}; needed: {', '.join(columns)}")
        for row in rows:
            if None in row or None in row.values():
                raise wrong_line(file, rows.line_num, f"not {len(rows.fieldnames or ())} fields")
            empty = [name for name in columns if not row[name].strip()]
            if empty:
                raise wrong_line(file, rows.line_num, f"{empty[0]!r} is empty")
            found = True
            yield rows.line_num, row
    except csv.Error as error:
        raise wrong_line(file, rows.line_num, f"not a table ({error})") from error
    if not found:
        raise BadInputError(f"{file}: no rows; fetch the file again")
