"""Tiny SAEs of every architecture, and a corpus of a tiny model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.activations.store import ActivationStore
from evenkeel.activations.writer import write_store
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.models.sites import HookPoint
from evenkeel.params import CaptureParams, SaeTrainingParams
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.saving import inference_module
from evenkeel.sae.training import train_module

PLACE = HookPoint("resid_post", 1)
WIDTH = 32
SUBJECTS = ("nurse", "engineer", "mother", "father", "child", "train", "cat", "friend")
VERBS = ("said", "saw", "walked home", "was late", "left at nine", "was cold", "laughed")
CORPUS = [
    f"The {a} {verb} because the {b} was tired."
    for a in SUBJECTS
    for verb in VERBS
    for b in SUBJECTS[:3]
]


def training_params(architecture: str = "topk", **changed: Any) -> SaeTrainingParams:
    """Parameters of an SAE of 24 latents that trains in a moment."""
    penalized = architecture in ("standard", "jumprelu")
    values = {
        "hook_name": PLACE.hook_name,
        "architecture": architecture,
        "d_sae": 24,
        "k": None if penalized else 4.0,
        "sparsity_coefficient": 0.1 if penalized else None,
        "matryoshka_widths": [8, 24] if architecture == "matryoshka_batchtopk" else None,
        "epochs": 1,
        "batch_tokens": 64,
        "learning_rate": 0.01,
        "decoder_init_norm": 0.1,
        "normalize_activations": "none",
    }
    return SaeTrainingParams(**{**values, **changed})


def trained_module(
    architecture: str = "topk", steps: int = 30, skipped: int = 1, **changed: Any
) -> Any:
    """An SAE of SAELens trained on random rows, for use."""
    rows = torch.randn(256, WIDTH, generator=torch.Generator().manual_seed(1)) * 3 + 1
    params = training_params(architecture, **changed)

    def batches() -> Iterator[torch.Tensor]:
        while True:
            yield from rows.split(params.batch_tokens)

    trained = train_module(
        batches(), steps * params.batch_tokens, WIDTH, PLACE, "tiny", params, 0, skipped
    )
    return inference_module(trained)


@pytest.fixture
def sae() -> LoadedSae:
    return LoadedSae.of(trained_module())


@pytest.fixture
def loaded(tiny_folder: Path) -> LoadedModel:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    return load_model(tiny_folder, "cpu")


@pytest.fixture
def store(loaded: LoadedModel, tmp_path: Path) -> Iterator[ActivationStore]:
    """Every token of CORPUS at PLACE."""
    write_corpus(tmp_path / "corpus.h5", loaded)
    with ActivationStore.open(tmp_path / "corpus.h5") as opened:
        yield opened


def write_corpus(
    path: Path, loaded: LoadedModel, texts: Sequence[str] = CORPUS, **changed: Any
) -> None:
    """Write the store of CORPUS, or of other texts."""
    values = {
        "sites": [PLACE.site],
        "layers": [PLACE.layer],
        "positions": "all",
        "sinks": "exclude",
        "dtype": "float32",
        "compute_dtype": None,
        "batch_tokens": 4096,
        "max_texts": None,
    }
    rows = [{"kind": "plain", "text": text} for text in texts]
    write_store(path, loaded, rows, CaptureParams(**{**values, **changed}))
