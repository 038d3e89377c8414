"""Lines, tables and JSON: what a text holds is what is read, and what is wrong is named."""

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.activations.sources import TextFile
from evenkeel.cli.options import texts_of
from evenkeel.errors import BadInputError
from evenkeel.files import (
    add_once,
    lines_of,
    read_json,
    read_object,
    require_folder,
    rows_of,
    table_text,
    text_of,
    write_table,
)
from evenkeel.files.lines import LONGEST
from evenkeel.files.tables import cell_text, plain_cell
from tests.files.privileges import shared_folder, unprivileged

INSIDE = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei\rj"
"""Characters at which str.splitlines or universal newlines cut a line."""


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_only_lf_and_crlf_end_a_line(tmp_path: Path, start: bytes, end: bytes) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes(start + end.join([INSIDE.encode(), b"second", b"", b"  "]) + end)
    assert list(lines_of(path)) == [(1, INSIDE), (2, "second")]
    assert text_of(path) == f"{INSIDE}\nsecond\n\n  \n"
    assert texts_of(None, path) == [INSIDE, "second"]
    assert [row["text"] for row in TextFile(path)] == [INSIDE, "second"]
    assert len(TextFile(path)) == 2


def test_files_that_were_joined_have_a_mark_each(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    path = tmp_path / "texts.txt"
    path.write_bytes(mark + mark + b"one\n" + mark + b"two \xef\xbb\xbf\n" + mark + b"\n")
    assert list(lines_of(path)) == [(1, "one"), (2, "two \ufeff")]
    assert text_of(path) == "one\ntwo \ufeff\n\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one\ntw\xff\n", r"t\.txt, line 2: not UTF-8 text \(byte 0xff\); save it as UTF-8"),
        ("o\nt".encode("utf-16"), r"t\.txt, line 1: not UTF-8 text \(it begins like UTF-16\)"),
    ],
)
def test_other_encodings_are_named_with_the_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(content)
    for read in (text_of, lambda path: list(lines_of(path))):
        with pytest.raises(BadInputError, match=message):
            read(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file; run the stage that writes it"),
        (Path.mkdir, "a folder, where a file is needed"),
        (os.mkfifo, "a pipe or device, where a file is needed"),
        (lambda path: path.symlink_to(path), "cannot be read .*symbolic links"),
    ],
    ids=["absent", "folder", "pipe", "circle"],
)
def test_what_is_no_file_is_told_apart(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "x.json"
    make(path)
    with pytest.raises(BadInputError, match=rf"x\.json: {message}"):
        read_json(path)


def test_forbidden_is_not_absent() -> None:
    with shared_folder() as folder:
        path = folder / "x.json"
        path.write_text("{}")
        path.chmod(0)
        closed = folder / "closed"
        closed.mkdir()
        (closed / "y.json").write_text("{}")
        closed.chmod(0)
        with unprivileged():
            for inside in (path, closed / "y.json"):
                with pytest.raises(BadInputError, match=r"\.json: no permission to read it"):
                    read_json(inside)
            with pytest.raises(BadInputError, match="closed: no permission"):
                require_folder(closed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JSON file"),
        ("NaN", "NaN is not JSON"),
        ('{"a": [-Infinity]}', "-Infinity is not JSON"),
        ("1e999", "1e999 is beyond 64 bits"),
        ("9" * 5000, "an integer of 5000 digits"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', "the key 'a' is there twice"),
        ("", "not a JSON file"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(BadInputError, match=rf"x\.json: .*{message}"):
        read_json(path)


def test_another_type_than_an_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[1]")
    with pytest.raises(BadInputError, match=r"x\.json: holds a list, where a JSON object is need"):
        read_object(path)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_a_table_is_read_whatever_system_wrote_it(
    tmp_path: Path, start: bytes, end: bytes, delimiter: str
) -> None:
    path = tmp_path / "t.csv"
    rows = [b" ", *(delimiter.join(row).encode() for row in ("ab", "1\u2028")), b"", b"  ", b""]
    path.write_bytes(start + end.join(rows))
    assert list(rows_of(path, delimiter)) == [(3, {"a": "1", "b": "\u2028"})]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no header in its first line"),
        ("a,a\n1,2\n", "line 1: two columns 'a'"),
        ("a,c\n1,2\n", "line 1: no column 'b'; needed: a, b"),
        ("a,b\n1,2\n1\n", "line 3: not 2 fields"),
        ('a,b\n1,"2\n', "line 2: not a table"),
    ],
)
def test_a_bad_table_is_named_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(BadInputError, match=rf"t\.csv.*{message}"):
        list(rows_of(path, columns=("a", "b")))


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1", "-", "'=1"]
)
def test_no_cell_is_a_formula(text: str) -> None:
    assert cell_text(text) == f"'{text}"
    assert table_text([{"=c": text, "n": -0.5}]).startswith("'=c,n\n")
    assert plain_cell(cell_text(text)) == text


@pytest.mark.parametrize("text", ["-0.5", "+1", "-.5e-3", "", "a-b", " =1", "'s", -1, None])
def test_numbers_and_plain_text_stay_as_they_are(text: object) -> None:
    assert cell_text(text) == text
    assert not isinstance(text, str) or plain_cell(text) == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))))
def test_a_table_reads_back(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "back.csv"
    write_table(path, [{"n": float(n), "cell": cell} for n, cell in enumerate(cells)] or [{"n": 1}])
    assert [plain_cell(row.get("cell", "")) for _, row in rows_of(path)] == (cells or [""])


def test_what_is_said_twice_must_be_said_alike() -> None:
    found: dict[object, int] = {}
    add_once(found, "a", 1, "f, line 1")
    add_once(found, "a", 1, "f, line 2")
    with pytest.raises(BadInputError, match="f, line 3: 'a' is there twice, with different cont"):
        add_once(found, "a", 2, "f, line 3")


@pytest.mark.parametrize("read", [text_of, lambda path: list(lines_of(path))])
def test_what_is_no_text_is_refused_before_it_fills_the_memory(
    read: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntw\0o\n")
    with pytest.raises(BadInputError, match=r"a\.txt, line 2: a NUL byte"):
        read(path)
    with path.open("wb") as file:
        file.truncate(1 << 40)
    tracemalloc.start()
    with pytest.raises(BadInputError, match=r"a\.txt, line 1: a NUL byte"):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 3 * LONGEST
    tracemalloc.stop()
    monkeypatch.setattr("evenkeel.files.lines.LONGEST", 8)
    path.write_bytes(b"12345678\n")
    with pytest.raises(BadInputError, match=r"line 1: longer than 8 bytes"):
        read(path)
