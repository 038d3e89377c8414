"""The notebook runs from top to bottom."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from evenkeel.models.provenance import record_provenance

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


def test_the_notebook_runs(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    monkeypatch.setenv("EVENKEEL_MODEL", str(tiny_folder))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert "tiny layer 1" in printed
    assert "of the spread is gone" in printed
