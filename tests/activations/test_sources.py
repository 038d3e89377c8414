from pathlib import Path

import pytest

from evenkeel.activations.sources import TextFile
from evenkeel.errors import BadInputError


def test_jsonl_rows(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "é", "n": 1}\n\n{"text": "b", "n": 2}')

    source = TextFile(file)

    assert list(source) == list(source) == [{"text": "é", "n": 1}, {"text": "b", "n": 2}]
    assert len(source) == 2


def test_plain_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one {\n\n two\r\n")

    assert list(TextFile(file)) == [{"text": "one {"}, {"text": " two"}]
    assert len(TextFile(file)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a"}\n{"text": ', r"a.jsonl, line 2: not JSON"),
        (b'{"txt": "a"}', "line 1: must be a JSON object with a string 'text'"),
        (b"[1]", "line 1: must be a JSON object"),
        (b'{"text": "\xff"}', "not UTF-8"),
    ],
)
def test_lines_that_are_no_rows(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(content)

    with pytest.raises(BadInputError, match=message):
        list(TextFile(file))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such file"):
        TextFile(tmp_path / "none.jsonl")
