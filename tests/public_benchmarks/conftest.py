"""A tiny model with a context long enough for prompts, and the folder of the real benchmarks."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.models.loading import LoadedModel
from evenkeel.models.provenance import Provenance
from evenkeel.public_benchmarks.measures import Measure
from evenkeel.public_benchmarks.running import open_task
from evenkeel.public_benchmarks.scoring import Scorer

REAL = "EVENKEEL_BENCHMARKS"


@pytest.fixture(scope="session")
def loaded(tokenizer: Any) -> LoadedModel:
    """A random GPT-2 of one block that looks back 400 tokens, loud enough to have opinions."""
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=400,
            n_embd=16,
            n_layer=1,
            n_head=2,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(8)
    provenance = Provenance(
        source="local", name="tiny", revision="1", fingerprint="f", tokenizer_hash="t",
        dtype="float32",
    )  # fmt: skip
    return LoadedModel(model, tokenizer, provenance)


@pytest.fixture(scope="session")
def real() -> Path:
    """The benchmarks' own files, which the project does not bring along."""
    folder = os.environ.get(REAL)
    if folder is None:
        pytest.skip(f"{REAL} names no folder with the benchmarks' own files")
    return Path(folder)


def measured(loaded: LoadedModel, name: Any, path: Path) -> dict[tuple[str, str, str], Measure]:
    """Measures of the model by (rule, group, name)."""
    task = open_task(name, path, loaded, None, 0)
    found = task.measures(Scorer(task.asked, 512).run(loaded.model))
    return {(each.rule, each.group, each.name): each for each in found}
