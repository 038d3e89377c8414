"""Whatever a file holds, a loader gives a value or a BadInputError, and no other exception."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenkeel.activations.manifest import read_manifest
from evenkeel.activations.sources import TextFile
from evenkeel.activations.store import ActivationStore
from evenkeel.datasets.records import Prompt, Statement
from evenkeel.errors import BadInputError
from evenkeel.files import mark_folder, read_jsonl, rows_of
from evenkeel.params import load_params
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.public_benchmarks.bbq import read_questions
from evenkeel.public_benchmarks.crows_pairs import read_pairs
from evenkeel.public_benchmarks.decisions import read_decisions
from evenkeel.public_benchmarks.specificity.items import read_items
from evenkeel.public_benchmarks.stereoset import read_triples
from evenkeel.public_benchmarks.wikitext import read_wikitext
from evenkeel.public_benchmarks.winobias import read_pairs as read_winobias
from evenkeel.public_benchmarks.winogender import read_schemas
from evenkeel.sae.results import read_table
from evenkeel.steering.spec import InterventionSpec
from evenkeel.tensor_files import read_tensors, write_tensor_folder
from evenkeel.vectors.vector import SteeringVector
from evenkeel.vectors.vector_set import VectorSet

Load = Callable[[Path], Any]
FILES: dict[str, Load] = {
    "texts.txt": lambda path: list(TextFile(path)),
    "texts.jsonl": lambda path: list(TextFile(path)),
    "statements.jsonl": lambda path: read_jsonl(path, Statement),
    "prompts.jsonl": lambda path: read_jsonl(path, Prompt),
    "table.csv": lambda path: list(rows_of(path)),
    "table.tsv": lambda path: list(rows_of(path, "\t")),
    "params.yaml": lambda path: load_params(path, "seed"),
    "store.h5": lambda path: ActivationStore.open(path).close(),
    "features.parquet": read_table,
    "vector.safetensors": SteeringVector.load,
    "any.safetensors": lambda path: read_tensors(path, kind="thing", version=1),
    "crows_pairs.csv": read_pairs,
    "dev.json": read_triples,
    "decisions.jsonl": read_decisions,
    "valid.txt": read_wikitext,
}
"""Loaders of one file."""
FOLDERS: dict[str, tuple[str, Load]] = {
    "shards": ("manifest.json", read_manifest),
    "bbq": ("Age.jsonl", lambda path: read_questions(path)),
    "winobias": ("pro_stereotyped_type1.txt.dev", read_winobias),
    "winogender": ("occupations-stats.tsv", read_schemas),
    "specificity": ("knowledge.jsonl", read_items),
}
"""Loaders of a folder, and the file of it that is fuzzed."""

RECORDS: dict[str, Load] = {
    "set of probes": ProbeSet.load,
    "set of steering vectors": VectorSet.load,
    "intervention spec": InterventionSpec.load,
}
"""Loaders of a folder of tensors, by the kind that its record names."""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
words = st.sampled_from(
    ["kind", "record", "version", "shards", "text", "data", "axis", "label", "probes", "metadata",
     "interventions", "intrasentence", "seed", "dataset", "file", "texts"]
)  # fmt: skip
objects = st.dictionaries(words, values | st.dictionaries(words, values), max_size=5)
contents = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    objects.map(lambda value: json.dumps(value).encode()),
    st.lists(objects, max_size=3).map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
    st.lists(st.lists(st.text(max_size=5), max_size=4), max_size=4).map(
        lambda rows: "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")
    ),
)
fuzzed = settings(
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def load(path: Path, loader: Load) -> None:
    try:
        loader(path)
    except BadInputError as error:
        refusal = str(error)
    else:
        return
    assert path.name in refusal or path.parent.name in refusal


@pytest.mark.parametrize("name", FILES)
@given(content=contents)
@fuzzed
def test_a_file_of_anything(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    load(path, FILES[name])


@pytest.mark.parametrize("kind", RECORDS)
@given(
    record=values | objects,
    version=st.just(1) | values,
    tensors=st.lists(words, unique=True, max_size=2),
)
@fuzzed
def test_a_record_of_anything(
    tmp_path: Path, kind: str, record: Any, version: Any, tensors: list[str]
) -> None:
    folder = tmp_path / "set"
    named = {name: torch.zeros(3) for name in tensors}
    write_tensor_folder(folder, named, None, kind=kind, version=1)
    text = json.dumps({"kind": kind, "record": record, "version": version})
    (folder / "record.json").write_text(text)
    mark_folder(folder)  # else every change is refused by its checksum
    load(folder, RECORDS[kind])


@pytest.mark.parametrize("name", FOLDERS)
@given(content=contents)
@fuzzed
def test_a_folder_with_anything(tmp_path: Path, name: str, content: bytes) -> None:
    inside, loader = FOLDERS[name]
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    (folder / inside).write_bytes(content)
    load(folder, loader)
