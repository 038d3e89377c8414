"""Atomic writes: the old content or the new, never half, and nothing left behind."""

import json
import os
from pathlib import Path

import pytest

from evenkeel.datasets.records import CorpusText
from evenkeel.errors import BadInputError
from evenkeel.files import (
    atomic_file,
    atomic_folder,
    read_json,
    read_jsonl,
    write_json,
    write_jsonl,
)
from evenkeel.files.markers import MARKER, require_intact


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": [1.5, None]})
    before = path.read_bytes()

    def write_half() -> None:
        with atomic_file(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_folder_keeps_the_old_one_and_a_finished_one_replaces_it(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with atomic_folder(folder) as part:
        (part / "old").write_text("old")

    def write_half() -> None:
        with atomic_folder(folder) as part:
            (part / "new").write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert {file.name for file in folder.iterdir()} == {MARKER, "old"}
    with atomic_folder(folder) as part:
        (part / "new").write_text("new")
    assert {file.name for file in folder.iterdir()} == {MARKER, "new"}
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_a_file_of_another_size_is_refused_unread(tmp_path: Path) -> None:
    """Hashing a terabyte would take an hour."""
    folder = tmp_path / "out"
    with atomic_folder(folder) as part:
        (part / "file").write_text("text")
    require_intact(folder, "again")
    os.truncate(folder / "file", 1 << 40)
    with pytest.raises(BadInputError, match=r"file: damaged, .* \(1099511627776 bytes, where"):
        require_intact(folder, "again")
    (folder / "file").write_text("TEXT")
    with pytest.raises(BadInputError, match=r"file: damaged, .* SHA-256"):
        require_intact(folder, "again")
    (folder / "file").write_text("text")
    require_intact(folder, "again")


def test_a_marker_of_an_earlier_version_says_no_sizes(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with atomic_folder(folder) as part:
        (part / "file").write_text("text")
    marker = json.loads((folder / MARKER).read_text())
    assert marker.pop("bytes") == {"file": 4}
    (folder / MARKER).write_text(json.dumps(marker))
    require_intact(folder, "again")
    (folder / MARKER).write_text(json.dumps(marker | {"bytes": {"file": "much"}}))
    with pytest.raises(BadInputError, match=r"\.evenkeel: damaged; again"):
        require_intact(folder, "again")


def test_json_is_sorted_and_refuses_what_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": 2})
    assert path.read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
    assert read_json(path) == {"a": 2, "b": 1}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, float("nan"))
    path.write_text("{")
    with pytest.raises(BadInputError, match=r"a\.json: not a JSON file"):
        read_json(path)
    with pytest.raises(BadInputError, match=r"none\.json: no such file; run the stage"):
        read_json(tmp_path / "none.json")


def test_rows_survive_the_round_trip(tmp_path: Path) -> None:
    rows = [
        CorpusText(kind="plain", text="Ünïcode \u2028 and\nnewline."),
        CorpusText(kind="question", text=""),
    ]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert read_jsonl(tmp_path / "rows.jsonl", CorpusText) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"kind": "plain", "text": "a"}\n{"kind": "odd", "text": "b"}\n',
            r"line 2: kind: Input sh",
        ),
        ('{"kind": "plain"}\n', r"line 1: text: Field required; each line must be one CorpusText"),
        ('{"kind": "plain", "text": "a", "x": 1}\n', r"line 1: x: Extra inputs are not permitted"),
        ("not json\n", r"line 1: not JSON"),
        ("", r"rows\.jsonl: no rows"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(BadInputError, match=message):
        read_jsonl(path, CorpusText)
