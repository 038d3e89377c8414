from collections import Counter
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from evenkeel.datasets.reading import read_all_prompts
from evenkeel.datasets.records import CorpusText, Statement
from evenkeel.files import read_json, read_jsonl
from stages.synthesize_dataset import main

ROOT = Path(__file__).parents[2]


def run(folder: Path, **dataset: object) -> Result:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["dataset"] |= {"quads_per_axis": 8, "corpus_texts": 200, "heldout_texts": 50} | dataset
    params["evaluation"]["axes"] = params["dataset"]["axes"][:1]
    folder.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    options = {"params": "params.yaml", "output": "dataset", "metrics": "metrics.json"}
    arguments = [part for name, at in options.items() for part in (f"--{name}", str(folder / at))]
    return CliRunner().invoke(main, arguments)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_files_and_counts(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 0, result.output
    statements = read_jsonl(tmp_path / "dataset" / "statements.jsonl", Statement)
    prompts = read_all_prompts(tmp_path / "dataset" / "prompts")
    train = read_jsonl(tmp_path / "dataset" / "corpus" / "train.jsonl", CorpusText)
    heldout = read_jsonl(tmp_path / "dataset" / "corpus" / "heldout.jsonl", CorpusText)
    sentences = 8 * 2 * (4 * 2 + 2 * 4)  # quads x labels x groups of four axes and of two
    assert (len(statements), len(train), len(heldout)) == (sentences, 200, 50)
    counts = read_json(tmp_path / "metrics.json")
    assert counts["statements"]["race"] == {
        "train": {"biased": 16, "neutral": 16},
        "validation": {"biased": 8, "neutral": 8},
        "test": {"biased": 8, "neutral": 8},
    }
    written = Counter((row.axis, row.direction, row.kind, row.split) for row in prompts)
    for (axis, direction, kind, split), count in written.items():
        assert counts["prompts"][axis][direction][kind][split] == count
    assert {"gender", "race", "gender+race"} <= counts["prompts"].keys()
    assert sum(counts["corpus"]["train"].values()) == 200
    assert "statements, religion" in result.output
    assert {row.lead_in for row in statements} <= {row.lead_in for row in prompts}
    assert "" not in {row.lead_in for row in prompts + statements}


def test_one_axis_is_planted_alone_and_lead_ins_left_out(tmp_path: Path) -> None:
    off = dict.fromkeys(("gender", "religion", "age", "disability", "socioeconomic"), 0.0)
    assert run(tmp_path, planted_strength=off, lead_in=False).exit_code == 0
    prompts = read_all_prompts(tmp_path / "dataset" / "prompts")
    biased = {row.axis for row in prompts if row.reference and len(set(row.reference.values())) > 1}
    assert biased == {"race", "gender+race"}
    assert {row.lead_in for row in prompts} == {""}


def test_the_same_parameters_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(tmp_path / name).exit_code == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_only_the_axes_asked_for(tmp_path: Path) -> None:
    assert run(tmp_path, axes=["age", "gender"]).exit_code == 0
    rows = read_jsonl(tmp_path / "dataset" / "statements.jsonl", Statement)
    assert {row.axis for row in rows} == {"age", "gender"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quads_per_axis": 5000}, "dataset.quads_per_axis: 5000 needs 2500 train quads"),
        ({"axes": ["height"]}, "dataset.axes.0"),
        ({"planted_strength": 2.0}, "dataset.planted_strength"),
        ({"planted_strength": {"race": 2.0}}, "dataset.planted_strength"),
        ({"planted_strength": {"height": 1.0}}, "dataset.planted_strength"),
        ({"lead_in": "yes"}, "dataset.lead_in"),
        ({"corpus_text": 200}, "unknown key"),
    ],
)
def test_bad_parameters_leave_the_old_files(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    assert run(tmp_path, axes=["age"]).exit_code == 0
    before = contents(tmp_path / "dataset")
    result = run(tmp_path, **change)
    assert result.exit_code == 2
    assert message in result.stderr
    assert contents(tmp_path / "dataset") == before
