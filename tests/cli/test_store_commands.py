"""`evenkeel inspect` on an activation store."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evenkeel.activations.writer import write_store
from evenkeel.cli import group
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.params import CaptureParams


@pytest.fixture
def store(tiny_folder: Path, tmp_path: Path) -> Path:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    path = tmp_path / "texts.h5"
    params = CaptureParams(
        sites=["resid_post"], layers=[0, 2], positions="all", sinks="exclude", dtype="float32",
        compute_dtype=None, batch_tokens=64, max_texts=None,
    )  # fmt: skip
    rows = [{"text": "The nurse said."}, {"text": "My father"}]
    write_store(path, load_model(tiny_folder, device="cpu"), rows, params)
    return path


def inspect(path: Path) -> dict[str, Any]:
    result = CliRunner().invoke(group, ["inspect", str(path), "--json"])
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_inspect_tells_a_stores_model_and_shapes(store: Path) -> None:
    found = inspect(store)
    assert found["kind"] == "activation store"
    assert found["header"]["model"] == "tiny"
    assert found["texts"] == 2
    assert found["points"].keys() == {"resid_post of layer 0", "resid_post of layer 2"}
    point = found["points"]["resid_post of layer 2"]
    assert (point["rows"], point["width"], point["not_finite"]) == (found["tokens"], 32, 0)
    assert point["mean_norm"] > 0


def test_inspect_refuses_a_store_that_was_cut_short(store: Path) -> None:
    store.write_bytes(store.read_bytes()[:-100])
    result = CliRunner().invoke(group, ["inspect", str(store)])
    assert result.exit_code == 2
    assert str(store) in result.stderr
