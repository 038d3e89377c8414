"""What every stage's command does, on a stage that does nearly nothing."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from tqdm import tqdm

from evenkeel.errors import BadInputError
from stages.command import print_table, stage


@stage
@click.option("--fail", is_flag=True)
def little(fail: bool, params_path: Path) -> None:
    """Do nearly nothing."""
    for _ in tqdm(range(2), "bar", disable=False):
        if fail:
            raise BadInputError("no such thing; make one")
    print_table("a table", ["name", "value"], [["a", 0.123456], [Path("b"), 2]])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(little, arguments)


def test_a_table_for_people() -> None:
    result = run()
    assert "a table" in result.stdout
    assert "0.1235" in result.stdout
    assert "\x1b" not in result.stdout, "colour is for terminals"
    assert "bar" in result.stderr
    assert "done in" in result.stderr


def test_rows_for_programs() -> None:
    result = run("--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert rows == [{"name": "a", "value": 0.123456}, {"name": "b", "value": 2}]
    assert result.stderr == ""


def test_quiet() -> None:
    result = run("--quiet")
    assert (result.stdout, result.stderr) == ("", "")


@pytest.mark.parametrize("flags", [(), ("--quiet",), ("--json",)])
def test_errors_are_never_silent(flags: tuple[str, ...]) -> None:
    result = run("--fail", *flags)
    assert result.exit_code == 2
    assert result.stderr.endswith("error: no such thing; make one\n")
    assert result.stdout == ""
