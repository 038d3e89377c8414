import json
from pathlib import Path

import datasets
import pytest

from evenkeel.activations.sources import TextFile, open_texts
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


def test_an_endless_line_is_not_counted(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(BadInputError, match="line 1: a NUL byte"):
        len(TextFile(file))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such file"):
        TextFile(tmp_path / "none.jsonl")


def test_a_dataset_as_a_file(tmp_path: Path) -> None:
    rows = [{"text": "one", "n": 1}, {"text": "two", "n": 2}]
    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "set")
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    for path in (tmp_path / "set", tmp_path / "set.jsonl"):
        source = open_texts(path)
        assert list(source) == list(source) == rows
        assert len(source) == 2


def test_folders_without_texts(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="empty: no dataset was saved there"):
        open_texts(tmp_path / "empty")
    other = datasets.Dataset.from_list([{"sentence": "one"}])
    other.save_to_disk(tmp_path / "other")
    with pytest.raises(BadInputError, match="without a column 'text'; it has sentence"):
        open_texts(tmp_path / "other")
    datasets.DatasetDict(train=other, test=other).save_to_disk(tmp_path / "splits")
    with pytest.raises(BadInputError, match="of several splits; name the folder of one: train"):
        open_texts(tmp_path / "splits")


def test_a_lead_in_stands_before_its_text(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"lead_in": "It rained. ", "text": "A nurse slept."}\n')
    assert list(TextFile(path)) == [{"lead_in": "It rained. ", "text": "It rained. A nurse slept."}]
    path.write_text('{"lead_in": 3, "text": "A nurse slept."}\n')
    with pytest.raises(BadInputError, match="line 1: 'lead_in' must be a string"):
        list(TextFile(path))
