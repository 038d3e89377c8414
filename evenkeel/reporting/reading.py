"""Reading the metrics and tables of earlier stages, checked as they are read."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files import read_record, rows_of
from evenkeel.files.json_files import problem_of
from evenkeel.files.tables import plain_cell

__all__ = ["Interval", "Row", "read_record", "read_record_if_there", "read_table"]

Record = TypeVar("Record", bound=BaseModel)
Interval = tuple[float, float]


class Row(BaseModel):
    """What the report needs of a record that another stage wrote; it may hold more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def read_record_if_there(path: Path, record_type: type[Record]) -> Record | None:
    """As `read_record`, but None where there is no file."""
    return read_record(path, record_type) if path.exists() else None


def read_table(path: Path, row_type: type[Record]) -> list[Record]:
    """Read a CSV file with a header, a row a `row_type`; an empty cell is unknown (None).

    Raises:
        BadInputError: the file is missing, or a row lacks what `row_type` needs.
    """
    rows = []
    for number, cells in rows_of(path):
        known = {name: plain_cell(value) or None for name, value in cells.items()}
        try:
            rows.append(row_type.model_validate(known))
        except ValidationError as error:
            raise BadInputError(
                f"{path}, line {number}: {problem_of(error)}; run the stage that writes it again"
            ) from None
    return rows
