"""Reading the metrics and tables of earlier stages, checked as they are read."""

from dataclasses import dataclass, field
from functools import partial
from hashlib import file_digest, md5
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files import read_jsonl, read_record, rows_of
from evenkeel.files.json_files import problem_of
from evenkeel.files.tables import plain_cell

Record = TypeVar("Record", bound=BaseModel)
Interval = tuple[float, float]
_md5 = partial(md5, usedforsecurity=False)


class Row(BaseModel):
    """What the report needs of a record that another stage wrote; it may hold more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


@dataclass
class Reader:
    """Reads files, and remembers which and what was in them."""

    digests: dict[str, str] = field(default_factory=dict)
    """MD5 of each file by its path, as dvc.lock has it."""

    def note(self, path: Path) -> None:
        """Remember a file that was read, and so is what it should be and no larger."""
        with path.open("rb") as file:
            self.digests[str(path)] = file_digest(file, _md5).hexdigest()

    def record(self, path: Path, record_type: type[Record]) -> Record:
        """Read a metrics file.

        Raises:
            BadInputError: the file is missing, is not JSON, or is no `record_type`.
        """
        found = read_record(path, record_type)
        self.note(path)
        return found

    def record_if_there(self, path: Path, record_type: type[Record]) -> Record | None:
        """As `record`, but None where there is no file."""
        try:
            path.open().close()
        except FileNotFoundError:
            return None
        return self.record(path, record_type)

    def lines(
        self, path: Path, row_type: type[Record], *, may_be_empty: bool = False
    ) -> list[Record]:
        """Read a JSONL file; as `read_jsonl`."""
        found = read_jsonl(path, row_type, may_be_empty=may_be_empty)
        self.note(path)
        return found

    def table(self, path: Path, row_type: type[Record]) -> list[Record]:
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
                    f"{path}, line {number}: {problem_of(error)}; run the stage that writes it "
                    "again"
                ) from None
        self.note(path)
        return rows
