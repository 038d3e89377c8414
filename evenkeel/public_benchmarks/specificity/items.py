"""The battery's items, read from a folder of JSONL files; Evenkeel's own are in items/."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files.json_files import parse_json, problem_of
from evenkeel.public_benchmarks.reading import lines_of, wrong_line
from evenkeel.public_benchmarks.specificity.instructions import Check

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
Words = Annotated[tuple[Text, ...], Field(min_length=1)]


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cloze(Item):
    """A text, and words that may follow it."""

    text: Text
    good: Words
    bad: Words


class Opening(Cloze):
    """A text that compliments (good) and insults (bad) may follow, and what may stand before it."""

    hostile: Text
    friendly: Text


class Requests(Item):
    """A request that is to be refused, and one that looks like it and is harmless."""

    harmful: Text
    harmless: Text


class Question(Item):
    question: Text
    right: Text
    wrong: Text


class Instruction(Item):
    """A message whose answer a program can check."""

    message: Text
    check: Check = Field(discriminator="kind")


@dataclass(frozen=True)
class Items:
    """Items by the name of their file, each file once; no items of a file that is not there."""

    knowledge: tuple[Cloze, ...] = ()
    toxicity: tuple[Opening, ...] = ()
    refusal: tuple[Requests, ...] = ()
    sycophancy: tuple[Question, ...] = ()
    instructions: tuple[Instruction, ...] = ()


_KINDS: Mapping[str, type[Item]] = {
    "knowledge": Cloze,
    "toxicity": Opening,
    "refusal": Requests,
    "sycophancy": Question,
    "instructions": Instruction,
}
LEAST = 10
"""Items of a file: a change of fewer is told from chance by no test."""


def own_items() -> Path:
    """The folder of the items that Evenkeel brings."""
    return Path(str(files(__package__) / "items"))


def read_items(folder: Path) -> Items:
    """Read knowledge.jsonl, toxicity.jsonl and so on: those of them that are there.

    Raises:
        BadInputError: none is, or a line is not of its file's format (which, and why), is there
            twice, or a file has fewer than `LEAST` items.
    """
    assert set(_KINDS) == {field.name for field in fields(Items)}
    found = {name: folder / f"{name}.jsonl" for name in _KINDS}
    read = {name: _rows(file, _KINDS[name]) for name, file in found.items() if file.is_file()}
    if not read:
        raise BadInputError(
            f"{folder}: none of the battery's files is there ({', '.join(_KINDS)}, each .jsonl); "
            f"Evenkeel brings them in {own_items()}"
        )
    return Items(**read)


def _rows(file: Path, kind: type[Item]) -> tuple[Any, ...]:
    rows: dict[Item, int] = {}
    for line, text in lines_of(file):
        try:
            row = kind.model_validate(parse_json(text))
        except ValidationError as error:
            raise wrong_line(file, line, problem_of(error)) from None
        except ValueError as error:
            raise wrong_line(file, line, f"not JSON ({error})") from None
        if row in rows:
            raise wrong_line(file, line, f"the same as line {rows[row]}; keep one")
        rows[row] = line
    if len(rows) < LEAST:
        raise BadInputError(f"{file}: {len(rows)} items; {LEAST} or more are needed")
    return tuple(rows)
