"""A loaded tiny model and the store of a few texts."""

from pathlib import Path
from typing import Any

import pytest

from evenkeel.activations.store import ActivationStore
from evenkeel.activations.writer import write_store
from evenkeel.models.loading import LoadedModel
from evenkeel.models.provenance import Provenance
from evenkeel.params import CaptureParams

ROWS = [
    {"id": f"t{number}", "text": text, "label": label, "terms": ["nurse", "tired"], "n": number}
    for number, (text, label) in enumerate(
        [
            ("The nurse said that she was tired.", "biased"),
            ("Hello there.", "neutral"),
            ("The weather was cold, and the train left at nine without us.", "neutral"),
            ("My father", "biased"),
            ("A mother walked home because she was hungry: café.", "neutral"),
            ("The engineer said that he was late.", "biased"),
        ]
    )
]


def capture_params(**changes: Any) -> CaptureParams:
    defaults = {
        "sites": ["resid_post"],
        "layers": "all",
        "positions": "all",
        "sinks": "exclude",
        "dtype": "float32",
        "compute_dtype": None,
        "batch_tokens": 64,
        "max_texts": None,
    }
    return CaptureParams(**{**defaults, **changes})


@pytest.fixture
def loaded(tiny_gpt2: Any, tokenizer: Any) -> LoadedModel:
    provenance = Provenance(
        source="local",
        name="tiny",
        revision="r1",
        fingerprint="f" * 64,
        tokenizer_hash="t" * 64,
        dtype="float32",
    )
    return LoadedModel(tiny_gpt2, tokenizer, provenance)


@pytest.fixture
def store_path(loaded: LoadedModel, tmp_path: Path) -> Path:
    path = tmp_path / "store" / "texts.h5"
    write_store(path, loaded, ROWS, capture_params())
    return path


@pytest.fixture
def store(store_path: Path) -> Any:
    with ActivationStore.open(store_path) as opened:
        yield opened
