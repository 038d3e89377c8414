"""Reading the metrics and tables of earlier stages, checked as they are read."""

import csv
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files import read_json, read_jsonl

Record = TypeVar("Record", bound=BaseModel)
Interval = tuple[float, float]


class Row(BaseModel):
    """What the report needs of a record that another stage wrote; it may hold more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


@dataclass
class Reader:
    """Reads files, and remembers which and what was in them."""

    digests: dict[str, str] = field(default_factory=dict)
    """MD5 of each file by its path, as dvc.lock has it."""

    def note(self, path: Path) -> Path:
        """Remember a file that is read elsewhere; one that is missing is not remembered."""
        if path.is_file():
            self.digests[str(path)] = md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        return path

    def record(self, path: Path, record_type: type[Record]) -> Record:
        """Read a metrics file.

        Raises:
            BadInputError: the file is missing, is not JSON, or is no `record_type`.
        """
        try:
            return record_type.model_validate(read_json(self.note(path)))
        except ValidationError as error:
            raise _foreign(str(path), error) from None

    def record_if_there(self, path: Path, record_type: type[Record]) -> Record | None:
        """As `record`, but None where there is no file."""
        return self.record(path, record_type) if path.is_file() else None

    def lines(
        self, path: Path, row_type: type[Record], *, may_be_empty: bool = False
    ) -> list[Record]:
        """Read a JSONL file; as `read_jsonl`."""
        return read_jsonl(self.note(path), row_type, may_be_empty=may_be_empty)

    def table(self, path: Path, row_type: type[Record]) -> list[Record]:
        """Read a CSV file with a header, a row a `row_type`; an empty cell is unknown (None).

        Raises:
            BadInputError: the file is missing, or a row lacks what `row_type` needs.
        """
        rows = []
        try:
            with self.note(path).open(encoding="utf-8", newline="") as file:
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
