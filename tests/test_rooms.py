"""Rooms of the library import one way: each from those that CONTRIBUTING.md names before it."""

import re
from pathlib import Path

import pytest

from tests.pipeline.imports import imports

ROOT = Path(__file__).parents[1]
ROOMS = {path.parent.name for path in (ROOT / "evenkeel").glob("*/__init__.py")} - {
    "files",
    "params",
}


def named() -> list[str]:
    """The rooms in the order that CONTRIBUTING.md gives."""
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text().split())
    said = re.search(r"\*\*Rooms import one way\*\*, in the order ([\w, ]+)", text)
    assert said
    return said[1].split(", ")


def test_every_room_has_its_place() -> None:
    assert set(named()) == ROOMS
    assert len(named()) == len(ROOMS)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_from_those_before_it(room: str) -> None:
    below = set(named()[named().index(room) + 1 :])
    files = [str(path.relative_to(ROOT)) for path in (ROOT / "evenkeel" / room).rglob("*.py")]
    found = {(file, used) for file in files for used in imports(file)}
    assert not [(file, used) for file, used in found if Path(used).parts[1] in below]
