"""The fields of the input rows, kept beside the activations as columns."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evenkeel.errors import BadInputError

Row = Mapping[str, Any]
"""One input text with its fields; `text` is the text."""
Column = list[str] | np.ndarray


def texts_of(rows: Sequence[Row], first: int = 0) -> list[str]:
    """The text of each row.

    Raises:
        BadInputError: a row has no `text`, or it is no string.
    """
    for number, row in enumerate(rows, start=first):
        if not isinstance(row.get("text"), str):
            raise BadInputError(
                f"text {number} (from 0) has no string in its field 'text'; its fields are "
                f"{sorted(row)}"
            )
    return [row["text"] for row in rows]


def columns_of(rows: Sequence[Row], first: int = 0) -> dict[str, Column]:
    """Turn rows into columns: numbers and booleans as such, all else as strings.

    Lists and tuples are joined by "|"; None is "" among strings and NaN among numbers; nested
    objects are left out.

    Raises:
        BadInputError: a row has other fields than the first one, or a string HDF5 cannot hold.
    """
    if "offsets" in rows[0]:
        raise BadInputError(
            "the texts have a field named 'offsets', which the store uses; rename it"
        )
    fields = sorted(name for name, value in rows[0].items() if not isinstance(value, Mapping))
    for number, row in enumerate(rows, start=first):
        if row.keys() != rows[0].keys():
            raise BadInputError(
                f"text {number} (from 0) has the fields {sorted(row)}, but text {first} has "
                f"{sorted(rows[0])}; give all rows the same fields"
            )
    return {name: _column(name, [row[name] for row in rows], first) for name in fields}


def _column(name: str, values: list[Any], first: int) -> Column:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return np.array(values, dtype=np.bool_)
    if kinds == {int}:
        return np.array(values, dtype=np.int64)
    if kinds & {int, float} and kinds <= {int, float, type(None)}:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    strings = [_string(value) for value in values]
    for number, string in enumerate(strings, start=first):
        if "\0" in string or not _is_utf8(string):
            raise BadInputError(
                f"field {name!r} of text {number} (from 0) has a NUL or half a surrogate pair; "
                "remove it"
            )
    return strings


def _string(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return "|".join(map(str, value))
    return str(value)


def _is_utf8(string: str) -> bool:
    try:
        string.encode()
    except UnicodeEncodeError:
        return False
    return True


def digest_of(column: Column) -> str:
    """SHA-256 of a column's values in order."""
    digest = hashlib.sha256()
    if isinstance(column, np.ndarray):
        digest.update(column.tobytes())
    else:
        for string in column:
            data = string.encode()
            digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
