"""What reaches a terminal cannot command it, and markup in data is data."""

import ast
import json
import logging
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from evenkeel.errors import BadInputError
from evenkeel.terminal import (
    Command,
    Group,
    PrintableFormatter,
    failing_clearly,
    print_json,
    print_table,
    printable,
    say,
)

HOSTILE = "\x1b]0;owned\x07\x9b31m\u202e\u2066\u200f\ufeff\r\x00\ud800[/x][red]o[/red]"
FORBIDDEN = set("\x1b\x07\x9b\u202e\u2066\u200f\ufeff\r\x00\ud800")


def test_control_and_format_characters_are_escaped() -> None:
    assert printable("\x1b[31m\x9b\u202ea\u2028") == r"\x1b[31m\x9b\u202ea\u2028"
    assert printable("tab\tline\nÜ 漢字 🙂 می‌خواهم") == "tab\tline\nÜ 漢字 🙂 می‌خواهم"
    assert not FORBIDDEN & set(printable(HOSTILE))


@click.group(cls=Group)
def group() -> None:
    pass


@group.command()
@click.option("--number", type=int)
def show(number: int | None) -> None:
    say(HOSTILE)
    print_table(HOSTILE, [HOSTILE, "n"], [[HOSTILE, 0.123456], ["b", 2]])


@group.command()
def fail() -> None:
    raise BadInputError(HOSTILE)


@group.command()
def refused() -> None:
    open("/nowhere/at/all")  # noqa: PTH123, SIM115


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show"], 0),
        (["fail"], 2),
        (["show", "--number", HOSTILE], 2),
        (["show", f"--{HOSTILE}"], 2),
        ([HOSTILE], 2),
    ],
)
def test_nothing_hostile_comes_through(arguments: list[str], code: int) -> None:
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == code, result.output
    assert result.output
    assert not FORBIDDEN & set(result.output)
    assert "[red]o[/red]" in result.output.replace("\n", "")


def test_numbers_have_four_digits() -> None:
    assert "0.1235" in CliRunner().invoke(group, ["show"]).output


def test_what_the_system_refuses_is_one_message() -> None:
    result = CliRunner().invoke(group, ["refused"])
    assert result.exit_code == 2
    assert result.output == (
        "error: /nowhere/at/all: No such file or directory; mend that and run again\n"
    )


def test_json_stays_exact(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([{"text": HOSTILE}])
    assert json.loads(capsys.readouterr().out) == {"text": HOSTILE}


def test_log_lines_are_printable() -> None:
    record = logging.LogRecord("a", logging.WARNING, "", 1, "%s", ("\x1b[2J",), None)
    assert PrintableFormatter("%(message)s").format(record) == r"\x1b[2J"


ROOT = Path(__file__).parents[1]
PRINTS_BY_ITSELF = {
    ROOT / "evenkeel" / "terminal.py",
    ROOT / "evenkeel" / "models" / "template_worker.py",  # its stdout is a pipe to its parent
}


def ways_past_the_escapes(source: str) -> list[str]:
    """Calls that print without escaping, as `line: call`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            plain = {"print", "echo", "secho", "pprint", "input", "prompt", "confirm"}
            to_stream = call.endswith((".stdout.write", ".stderr.write", "Console"))
            if to_stream or (
                (call in plain or call.startswith("click.")) and (call.rpartition(".")[2] in plain)
            ):
                found.append(f"{node.lineno}: {call}")
    return found


def test_commands_and_stages_print_through_the_escaping_functions_only() -> None:
    files = [*(ROOT / "evenkeel").rglob("*.py"), *(ROOT / "stages").rglob("*.py")]
    assert len(files) > 200
    found = {
        str(path.relative_to(ROOT)): calls
        for path in files
        if path not in PRINTS_BY_ITSELF and (calls := ways_past_the_escapes(path.read_text()))
    }
    assert not found


@pytest.mark.parametrize(
    "line",
    ["print(1)", "click.echo(1)", "echo(1)", "sys.stdout.write('a')", "rich.Console().print(1)"],
)
def test_a_way_past_the_escapes_is_seen(line: str) -> None:
    assert ways_past_the_escapes(line)
    assert not ways_past_the_escapes("say(1); fingerprint(2); file.write('a')")


def test_a_cell_cannot_forge_a_row() -> None:
    @click.command()
    def table() -> None:
        print_table("t", ["name"], [["a\n| forged |"]])
        print_table("t", ["text"], [["two\nlines"]], lines=True)

    printed = CliRunner().invoke(table).output
    assert r"a\n| forged |" in printed
    assert r"two\nlines" not in printed


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3 TiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
    ],
)
def test_too_little_memory_is_one_message(error: Exception) -> None:
    @click.command(cls=Command)
    def greedy() -> None:
        with failing_clearly():
            raise error

    result = CliRunner().invoke(greedy)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert result.output.startswith("error: not enough memory (")
    other = CliRunner().invoke(click.command(lambda: failing(RuntimeError("x"))))
    assert isinstance(other.exception, RuntimeError)


def failing(error: Exception) -> None:
    with failing_clearly():
        raise error
