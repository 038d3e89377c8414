"""The stage puts plain texts together from each of its sources."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evenkeel.datasets.records import CorpusText
from evenkeel.errors import BadInputError
from evenkeel.files import read_jsonl, write_jsonl
from stages.prepare_corpus import main
from tests.datasets.test_wikitext import TEXT
from tests.stages.conftest import set_params


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "dataset" / "corpus"
    for name in ("train", "heldout"):
        rows = [CorpusText(kind="plain", text=f"{name} {number}") for number in range(20)]
        write_jsonl(folder / f"{name}.jsonl", [*rows, CorpusText(kind="question", text="Who?")])
    return tmp_path


def run(folder: Path, **corpus: Any) -> Result:
    set_params(folder, "corpus", {"path": None, "heldout_path": None} | corpus)
    return CliRunner().invoke(main)


def written(folder: Path) -> dict[str, list[CorpusText]]:
    names = ("train", "heldout")
    return {n: read_jsonl(folder / "data" / "corpus" / f"{n}.jsonl", CorpusText) for n in names}


def test_the_organism_reads_what_was_synthesized(project: Path) -> None:
    result = run(project, source="auto")
    assert result.exit_code == 0, result.output
    for name, rows in written(project).items():
        assert rows == read_jsonl(project / "data/dataset/corpus" / f"{name}.jsonl", CorpusText)


def test_wikitext_is_read_from_a_local_copy(project: Path) -> None:
    (project / "valid.txt").write_text(TEXT)
    result = run(project, source="wikitext", path=".")
    assert result.exit_code == 0, result.output
    rows = written(project)
    assert all(row.kind == "plain" for part in rows.values() for row in part)
    counts = json.loads((project / "reports/metrics/corpus.json").read_text())
    assert counts["source"] == "wikitext"
    assert counts["heldout"]["texts"] == len(rows["heldout"]) > 0


def test_files_of_any_kind_give_every_tenth_text_away(project: Path) -> None:
    (project / "own.txt").write_text("\n".join(f"Text number {n}." for n in range(30)))
    result = run(project, source="files", path="own.txt")
    assert result.exit_code == 0, result.output
    rows = written(project)
    assert [row.text for row in rows["heldout"]] == [f"Text number {n}." for n in (9, 19, 29)]
    assert len(rows["train"]) == 27

    write_jsonl(project / "other.jsonl", [CorpusText(kind="plain", text="Kept apart.")])
    assert run(project, source="files", path="own.txt", heldout_path="other.jsonl").exit_code == 0
    rows = written(project)
    assert len(rows["train"]) == 30
    assert [row.text for row in rows["heldout"]] == ["Kept apart."]


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ({"source": "files"}, "source is files but path is null; name a file"),
        ({"source": "files", "path": "nowhere.txt"}, "nowhere.txt: no such file"),
        ({"source": "synthesized", "path": "x"}, "path has no meaning with source synthesized"),
        ({"source": "wikitext", "heldout_path": "x"}, "heldout_path has no meaning with source wi"),
        ({"source": "files", "path": "one.txt"}, "1 texts to learn from and 0 held-out ones"),
    ],
)
def test_what_cannot_be_used_is_said(project: Path, corpus: dict[str, Any], message: str) -> None:
    (project / "one.txt").write_text("One text.\n")
    result = run(project, **corpus)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not (project / "data" / "corpus").exists()


def test_without_a_network_the_message_names_the_way_out(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise BadInputError("cannot be fetched; name a local copy in benchmarks.run")

    monkeypatch.setattr("evenkeel.public_benchmarks.sources.download", fail)
    result = run(project, source="wikitext")
    assert result.exit_code == 2
    assert "name a local copy in corpus.path" in " ".join(result.output.split())
