"""A tiny model, statements, and the activations that it has on them."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from evenkeel.activations.writer import write_store
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.params import CaptureParams
from tests.probes.planted import planted_statements

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def saved_workspace(saved_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `workspace` copies."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(saved_tiny, folder / "model")
    record_provenance(folder / "model", "local", "tiny", "float32")
    statements = planted_statements(("age", "gender"), terms=4, quads=8)
    write_activations(folder, "statements.h5", statements.to_dict("records"))
    set_params(folder, "probes.resamples", 100)
    return folder


@pytest.fixture
def workspace(saved_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds model/, statements.h5 (two axes, layers 0 and 2) and params.yaml."""
    folder = tmp_path / "workspace"
    shutil.copytree(saved_workspace, folder)
    monkeypatch.chdir(folder)
    return folder


def write_activations(folder: Path, name: str, rows: list[Any]) -> None:
    """Write the store `name` of what model/ in `folder` has on `rows`."""
    capture = CaptureParams(
        sites=["resid_post"],
        layers=[0, 2],
        positions="mean",
        sinks="exclude",
        dtype="float32",
        compute_dtype=None,
        batch_tokens=4096,
        max_texts=None,
    )
    write_store(folder / name, load_model(folder / "model", "cpu"), rows, capture)


def set_params(folder: Path, key: str, value: Any) -> None:
    """Write params.yaml into `folder` (the project's, reduced) with one dotted key changed."""
    path = folder / "params.yaml"
    source = path if path.exists() else ROOT / "tests" / "reduced_params.yaml"
    params = yaml.safe_load(source.read_text())
    *parents, last = key.split(".")
    section = params
    for name in parents:
        section = section[name]
    section[last] = value
    path.write_text(yaml.safe_dump(params))
