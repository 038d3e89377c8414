"""JSON and JSON lines: strict when read, sorted when written."""

import json
import math
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files.inputs import BY_A_STAGE
from evenkeel.files.lines import lines_of, text_of
from evenkeel.files.writing import atomic_file, write_text

Row = TypeVar("Row", bound=BaseModel)
_DIGITS = 400
"""Longest integer that is read, in digits; a 64-bit one has 19."""


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, atomically: keys sorted, NaN and infinity refused."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[BaseModel | dict[str, Any]]) -> None:
    """Write one JSON object a line, atomically: keys sorted, NaN and infinity refused."""
    with atomic_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            value = row.model_dump(mode="json") if isinstance(row, BaseModel) else row
            file.write(json.dumps(value, sort_keys=True, allow_nan=False) + "\n")


def parse_json(text: str) -> Any:
    """JSON as its standard has it, which Python's parser takes more than.

    Raises:
        ValueError: the text is no JSON, is nested too deeply, names a key of an object twice with
            different values, or holds NaN, an infinity or a number that no 64 bits hold.
    """
    try:
        return json.loads(
            text,
            parse_constant=_not_finite,
            parse_float=_finite,
            parse_int=_integer,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: Path, advice: str = BY_A_STAGE) -> Any:
    """Read a JSON file.

    Raises:
        BadInputError: there is no such file, or it is not JSON (`parse_json`).
    """
    text = text_of(path, advice)
    try:
        return parse_json(text)
    except ValueError as error:
        raise BadInputError(f"{path}: not a JSON file ({error}); {advice}") from error


def read_object(path: Path, advice: str = BY_A_STAGE) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        BadInputError: as `read_json`, or it holds something else.
    """
    value = read_json(path, advice)
    if not isinstance(value, dict):
        raise BadInputError(
            f"{path}: holds a {type(value).__name__}, where a JSON object is needed; {advice}"
        )
    return value


def read_record(path: Path, kind: type[Row], advice: str = BY_A_STAGE) -> Row:
    """Read a JSON file that holds one record.

    Raises:
        BadInputError: as `read_json`, or it lacks what `kind` needs (what).
    """
    value = read_json(path, advice)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise BadInputError(f"{path}: {problem_of(error)}; {advice}") from None


def read_jsonl(path: Path, row_type: type[Row], *, may_be_empty: bool = False) -> list[Row]:
    """Read rows of `row_type` from a JSONL file; blank lines are left out.

    Raises:
        BadInputError: the file is missing or (unless it may be) empty, or a line is no
            `row_type` (which, and why).
    """
    rows = []
    for number, line in lines_of(path):
        try:
            rows.append(row_type.model_validate(parse_json(line)))
        except ValidationError as error:
            problem = problem_of(error)
        except ValueError as error:
            problem = f"not JSON ({error})"
        else:
            continue
        raise BadInputError(
            f"{path}, line {number}: {problem}; each line must be one {row_type.__name__} as JSON"
        )
    if not rows and not may_be_empty:
        raise BadInputError(f"{path}: no rows; run the stage that writes it again")
    return rows


def problem_of(error: ValidationError) -> str:
    """The first problem of a record: the path of its key, and what is wrong there."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "line"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def add_once(found: dict[Hashable, Any], key: Hashable, value: Any, where: str) -> None:
    """Put a value under a key; what is said twice must be said alike.

    Args:
        found: what was found so far.
        key: what must be unique.
        value: what belongs to it.
        where: file and line, for the message.

    Raises:
        BadInputError: the key is there with another value.
    """
    if found.setdefault(key, value) != value:
        raise BadInputError(f"{where}: {key!r} is there twice, with different contents; keep one")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found and found[key] != value:
            raise ValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is beyond 64 bits")
    return value


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)
