"""Where texts come from: files and datasets read row by row, never whole."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from evenkeel.activations.columns import Row
from evenkeel.errors import BadInputError
from evenkeel.files import lines_of, require_file
from evenkeel.files.json_files import parse_json


def open_texts(path: Path) -> Iterable[Row]:
    """Texts of a file, or of a folder that a dataset of the library `datasets` was saved to.

    Both may be larger than memory, and know how many rows they have.

    Raises:
        BadInputError: it is missing, or the folder holds no dataset with a column `text`.
    """
    return _dataset(path) if path.is_dir() else TextFile(path)


def _dataset(folder: Path) -> Iterable[Row]:
    from datasets import Dataset, load_from_disk

    try:
        dataset = load_from_disk(folder)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{folder}: no dataset was saved there ({error})") from error
    if not isinstance(dataset, Dataset):
        raise BadInputError(
            f"{folder}: a dataset of several splits; name the folder of one: {', '.join(dataset)}"
        )
    if "text" not in dataset.column_names:
        raise BadInputError(
            f"{folder}: a dataset without a column 'text'; it has {', '.join(dataset.column_names)}"
        )
    return dataset


class TextFile:
    """Texts of a file: a JSON object a line (.jsonl), or plain text a line (any other name).

    A row's `lead_in`, if it has one, is put before its text. Iterable any number of times. Its
    length counts the lines without parsing them.
    """

    def __init__(self, path: Path) -> None:
        """Take a file of texts.

        Raises:
            BadInputError: no such file.
        """
        require_file(path)
        self._path = path

    def __len__(self) -> int:
        return sum(1 for _ in lines_of(self._path))

    def __iter__(self) -> Iterator[Row]:
        """Rows in order, blank lines left out.

        Raises:
            BadInputError: a line is not UTF-8, or not a JSON object with a string `text`
                and the fields of the first.
        """
        first: Row = {}
        for number, line in lines_of(self._path):
            row = self._row(line, number)
            first = first or row
            if row.keys() != first.keys():
                odd = sorted(row.keys() ^ first.keys())
                raise BadInputError(
                    f"{self._path}, line {number}: {odd[0]!r} is a field of this line or of the "
                    "first, not of both; give all lines the same fields"
                )
            yield row

    def _row(self, line: str, number: int) -> Row:
        if self._path.suffix != ".jsonl":
            return {"text": line}
        try:
            row = parse_json(line)
        except ValueError as error:
            raise BadInputError(f"{self._path}, line {number}: not JSON ({error})") from None
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise BadInputError(
                f"{self._path}, line {number}: must be a JSON object with a string 'text'"
            )
        lead_in = row.get("lead_in", "")
        if not isinstance(lead_in, str):
            raise BadInputError(f"{self._path}, line {number}: 'lead_in' must be a string")
        return row | {"text": lead_in + row["text"]}
