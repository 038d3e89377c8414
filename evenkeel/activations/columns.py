"""The fields of the input rows, kept beside the activations as columns."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from evenkeel.errors import BadInputError, BadTextError

Row = Mapping[str, Any]
"""One input text with its fields; `text` is the text."""
Column = list[str] | np.ndarray


def texts_of(rows: Sequence[Row], first: int = 0) -> list[str]:
    """The text of each row.

    Raises:
        BadTextError: a row has no `text`, or it is no string.
    """
    for number, row in enumerate(rows, start=first):
        if not isinstance(row.get("text"), str):
            raise BadTextError(
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


def packed(
    strings: Sequence[str],
) -> tuple[UInt8[np.ndarray, " bytes"], Int64[np.ndarray, " texts"]]:
    """UTF-8 of strings one after the other, and where each ends.

    HDF5's own strings of any length lie in a heap without a checksum, and a damaged heap can keep
    the library in an endless loop.
    """
    encoded = [string.encode() for string in strings]
    ends = np.cumsum([len(data) for data in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends


def unpacked(data: UInt8[np.ndarray, " bytes"], ends: Int64[np.ndarray, " texts"]) -> list[str]:
    """The strings that were packed.

    Raises:
        ValueError: the ends do not divide the bytes, or these are no UTF-8.
    """
    starts = np.concatenate([[0], ends[:-1]])
    if (ends < starts).any() or ends[-1] != len(data):
        raise ValueError("the ends of strings do not divide their bytes")
    whole = data.tobytes()
    return [whole[start:end].decode() for start, end in zip(starts, ends, strict=True)]


def digest_of(array: np.ndarray) -> str:
    """SHA-256 of an array's values in order."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
