import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from evenkeel.activations.store import ActivationStore
from evenkeel.datasets.records import CorpusText, Statement
from evenkeel.files import write_jsonl
from evenkeel.models.provenance import record_provenance
from stages.cache_activations import main

STATEMENTS = [
    Statement(
        id=f"s{number}",
        axis="gender",
        group="female",
        label="biased" if number % 2 else "neutral",
        pair=f"p{number // 2}",
        quad="q",
        template="t",
        terms=("nurse", word),
        split="train",
        text=f"The nurse said that she was {word}.",
    )
    for number, word in enumerate(["tired", "late", "hungry", "cold"])
]


@pytest.fixture
def workplace(tiny_folder: Path, tmp_path: Path) -> Path:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    write_jsonl(tmp_path / "statements.jsonl", STATEMENTS)
    texts = [CorpusText(kind="plain", text=f"Text number {number}.") for number in range(30)]
    write_jsonl(tmp_path / "corpus.jsonl", texts)
    set_params(tmp_path)
    return tmp_path


def set_params(folder: Path, **corpus: Any) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["activations"]["corpus"].update({"layers": [1], "max_texts": 20, **corpus})
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def run(folder: Path, name: str, *more: str) -> Result:
    arguments = {
        "--set": name,
        "--texts": folder / f"{name}.jsonl",
        "--model": folder / "tiny-model",
        "--output": folder / f"{name}.h5",
        "--metrics": folder / f"{name}.json",
        "--params": folder / "params.yaml",
    }
    given = [str(part) for pair in arguments.items() for part in pair]
    return CliRunner().invoke(main, [*given, *more])


def test_statements(workplace: Path) -> None:
    result = run(workplace, "statements")

    assert result.exit_code == 0, result.output
    with ActivationStore.open(workplace / "statements.h5") as store:
        assert store.positions == "last"
        assert store.layers("resid_post") == (0, 1, 2)
        assert store.read("resid_post", 2).shape == (4, 32)
        assert store.texts["id"].tolist() == ["s0", "s1", "s2", "s3"]
        assert store.texts["terms"][1] == "nurse|late"
        tokens = len(store.input_ids)
    metrics = json.loads((workplace / "statements.json").read_text())
    size = (workplace / "statements.h5").stat().st_size
    assert metrics == {
        "texts": 4,
        "tokens": tokens,
        "rows": 4,
        "bytes": size,
        "shards": 1,
        "sinks": "exclude",
        "later_sinks": [],
        "auto": {},
    }


def test_corpus(workplace: Path) -> None:
    assert run(workplace, "corpus").exit_code == 0

    with ActivationStore.open(workplace / "corpus.h5") as store:
        assert store.layers("resid_post") == (1,)
        assert len(store.texts) == 20
        assert store.read("resid_post", 1).shape == (len(store.input_ids), 32)
    metrics = json.loads((workplace / "corpus.json").read_text())
    assert metrics["rows"] == metrics["tokens"]


def test_the_same_bytes_again(workplace: Path) -> None:
    contents = []
    for _ in range(2):
        assert run(workplace, "corpus").exit_code == 0
        contents.append([(workplace / f"corpus.{kind}").read_bytes() for kind in ("h5", "json")])

    assert contents[0] == contents[1]


def test_bad_input_leaves_earlier_outputs(workplace: Path) -> None:
    run(workplace, "corpus")
    before = (workplace / "corpus.h5").read_bytes()

    set_params(workplace, layers=[9])
    result = run(workplace, "corpus")
    assert result.exit_code == 2
    assert "layer 9 does not exist: this gpt2 model has layers 0 to 2" in result.stderr

    set_params(workplace)
    with (workplace / "corpus.jsonl").open("a") as file:
        file.write("not JSON\n")
    set_params(workplace, max_texts=None)
    result = run(workplace, "corpus")
    assert result.exit_code == 2
    assert "corpus.jsonl, line 31: not JSON" in result.stderr

    assert (workplace / "corpus.h5").read_bytes() == before
    (workplace / "corpus.jsonl").unlink()
    assert "no such file" in run(workplace, "corpus").stderr


def test_shard_by_shard_gives_the_same_bytes(workplace: Path) -> None:
    texts = [CorpusText(kind="plain", text=f"Text number {number}.") for number in range(800)]
    write_jsonl(workplace / "corpus.jsonl", texts)
    set_params(workplace, layers="all", max_texts=None)
    written = []
    for commands in ([[]], [["--plan"], ["--shard", "1"], ["--shard", "0"], []]):
        for command in commands:
            result = run(workplace, "corpus", "--shard-mib", "1", *command)
            assert result.exit_code == 0, result.output
        files = (workplace / "corpus.h5").iterdir()
        written.append({file.name: file.read_bytes() for file in files})
        written[-1]["metrics"] = (workplace / "corpus.json").read_bytes()
        shutil.rmtree(workplace / "corpus.h5")

    assert "00002.h5" in written[0]
    assert written[0] == written[1]
