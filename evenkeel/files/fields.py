"""A dataclass from the JSON record of its fields, each checked by its type."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from evenkeel.errors import BadInputError

Made = TypeVar("Made")


def made_of(made: type[Made], record: Any, where: str, advice: str, **given: Any) -> Made:
    """Make a dataclass of a record.

    Args:
        made: the dataclass; nested ones and tuples come as JSON objects and lists.
        record: its fields by name.
        where: file and part, for messages.
        advice: what the user can do about a wrong one.
        given: fields that are no JSON, such as tensors.

    Raises:
        BadInputError: the record is no object, a field is unknown, missing, or not of its type, or
            the dataclass refuses the values.
    """
    if not isinstance(record, Mapping):
        raise BadInputError(f"{where}: holds no fields but {type(record).__name__}; {advice}")
    hints = get_type_hints(made, include_extras=True)  # with the range of a number
    known = {each.name: each for each in fields(made) if each.name not in given}  # type: ignore[arg-type]
    if unknown := sorted(record.keys() - known.keys()):
        raise BadInputError(f"{where}: unknown field {unknown[0]!r}; {advice}")
    required = [name for name, each in known.items()
                if each.default is MISSING and each.default_factory is MISSING]  # fmt: skip
    if missing := [name for name in required if name not in record]:
        raise BadInputError(f"{where}: no field {missing[0]!r}; {advice}")
    values = {}
    for name, value in record.items():
        try:
            # As JSON, so that a list may be a tuple and 1 a float, but true is no number.
            values[name] = TypeAdapter(hints[name]).validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            raise BadInputError(f"{where}: {name}: {problem}; {advice}") from None
    try:
        return made(**values, **given)
    except BadInputError as error:
        raise BadInputError(f"{where}: {error}") from error
