"""Reading the metrics and tables of earlier stages, checked as they are read."""

import csv
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files import read_json

Record = TypeVar("Record", bound=BaseModel)
Interval = tuple[float, float]


class Row(BaseModel):
    """What the report needs of a record that another stage wrote; it may hold more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def read_record(path: Path, record_type: type[Record]) -> Record:
    """Read a metrics file.

    Raises:
        BadInputError: the file is missing, is not JSON, or lacks what `record_type` needs.
    """
    try:
        return record_type.model_validate(read_json(path))
    except ValidationError as error:
        raise _foreign(str(path), error) from None


def read_record_if_there(path: Path, record_type: type[Record]) -> Record | None:
    """As `read_record`, but None where there is no file."""
    try:
        path.open().close()
    except FileNotFoundError:
        return None
    return read_record(path, record_type)


def read_table(path: Path, row_type: type[Record]) -> list[Record]:
    """Read a CSV file with a header, a row a `row_type`; an empty cell is unknown (None).

    Raises:
        BadInputError: the file is missing, or a row lacks what `row_type` needs.
    """
    rows = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, cells in enumerate(csv.DictReader(file), start=2):
                known = {name: value or None for name, value in cells.items()}
                try:
                    rows.append(row_type.model_validate(known))
                except ValidationError as error:
                    raise _foreign(f"{path}, line {number}", error) from None
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: no such file; run the stage that writes it") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path}: not UTF-8 text ({error})") from error
    return rows


def _foreign(where: str, error: ValidationError) -> BadInputError:
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    return BadInputError(f"{where}: {key}: {first['msg']}; run the stage that writes it again")
