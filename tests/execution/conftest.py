import shutil
from pathlib import Path

import pytest
import yaml

from evenkeel.datasets.records import CorpusText
from evenkeel.files import write_jsonl
from evenkeel.models.provenance import record_provenance
from tests.execution.cluster_page import ROOT


@pytest.fixture
def project(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of a tiny model and a corpus of two shards."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["activations"]["corpus"] |= {"layers": "all", "max_texts": None}
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    record_provenance(tiny_folder, "local", "tiny", "float32")
    shutil.copytree(tiny_folder, folder / "models" / "base")
    texts = [CorpusText(kind="plain", text=f"Text number {number}.") for number in range(300)]
    write_jsonl(folder / "data/corpus/train.jsonl", texts)
    monkeypatch.chdir(folder)
    return folder
