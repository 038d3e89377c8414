"""The one reader and the one writer of tables."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evenkeel.errors import BadInputError
from evenkeel.files.inputs import BY_A_STAGE
from evenkeel.files.lines import text_of
from evenkeel.files.writing import write_text

if TYPE_CHECKING:
    import pandas as pd

# What spreadsheets take for a formula, full-width forms included; a number is none.
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def rows_of(
    path: Path,
    delimiter: Literal[",", "\t"] = ",",
    advice: str = BY_A_STAGE,
    columns: Sequence[str] = (),
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a table with a header, each with the number of the line on which it ends.

    Args:
        path: comma-separated with quotes, or tab-separated without.
        delimiter: which of them.
        advice: what the user can do if it is not there.
        columns: those that must be there; others may be.

    Raises:
        BadInputError: there is no such file or no header in it, the header names a column twice or
            lacks one, or a row has too few or too many fields (which).
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
    stream = io.StringIO(text_of(path, advice), newline="\n")
    rows = csv.reader(stream, delimiter=delimiter, quoting=quoting, strict=True)
    try:
        header = next((cells for cells in rows if not _is_blank(cells)), [])
        if not any(header):
            raise BadInputError(f"{path}: no header in its first line; {advice}")
        twice = [name for name in header if header.count(name) > 1]
        if twice:
            raise BadInputError(f"{path}, line {rows.line_num}: two columns {twice[0]!r}; keep one")
        missing = [name for name in columns if name not in header]
        if missing:
            needed = ", ".join(columns)
            raise BadInputError(
                f"{path}, line {rows.line_num}: no column {missing[0]!r}; needed: {needed}"
            )
        for cells in rows:
            if _is_blank(cells) and len(header) > 1:
                continue
            if len(cells) != len(header):
                raise BadInputError(f"{path}, line {rows.line_num}: not {len(header)} fields")
            yield rows.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise BadInputError(f"{path}, line {rows.line_num}: not a table ({error})") from error


def _is_blank(cells: Sequence[str]) -> bool:
    """Whether a line holds no more than spaces."""
    return len(cells) < 2 and not "".join(cells).strip()


def cell_text(value: Any) -> Any:
    """A cell that no spreadsheet runs: text that begins like a formula gets an apostrophe.

    Numbers, as such or as text, stay what they are; `plain_cell` undoes it.
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def plain_cell(text: str) -> str:
    """What `cell_text` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def table_text(
    rows: "pd.DataFrame | Sequence[dict[str, Any]]", float_format: str | None = "%.6g"
) -> str:
    """Rows as comma-separated text with a header, the same on every system.

    Args:
        rows: a frame, whose index is left out, or a mapping of column to value each.
        float_format: of numbers with a fraction; None is as many digits as it takes.
    """
    import pandas as pd

    frame = pd.DataFrame(rows)
    frame.columns = [cell_text(name) for name in frame.columns]
    for index, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            frame.isetitem(index, [cell_text(cell) for cell in frame.iloc[:, index]])
    text: str = frame.to_csv(index=False, float_format=float_format, lineterminator="\n")
    return text


def write_table(
    path: Path,
    rows: "pd.DataFrame | Sequence[dict[str, Any]]",
    float_format: str | None = "%.6g",
) -> None:
    """Write `table_text`, atomically."""
    write_text(path, table_text(rows, float_format))
