"""The table of families is of the transformers that is installed, and of today's search."""

from importlib.metadata import version
from pathlib import Path

import pytest

from tests.models.family_table import line, row

TABLE = (Path(__file__).parents[2] / "docs" / "reference" / "families.md").read_text("utf-8")


def test_the_table_is_of_this_transformers() -> None:
    assert f"transformers {version('transformers')} " in TABLE  # else: make families


@pytest.mark.parametrize("family", ["gpt2", "bamba", "falcon", "gemma3n_text", "mamba", "doge"])
def test_a_line_is_what_the_search_finds_today(family: str) -> None:
    found = row(family)
    assert found is not None
    assert f"\n{line(family, *found)}\n" in TABLE
