"""Write an SAE in SAELens's format."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from evenkeel.files import atomic_folder, read_json, write_json
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.loading import read_sae

_NEVER = 1e-10
"""Added to a frequency before its logarithm, as SAELens does: a dead latent has sparsity -10."""


def log_sparsity(frequency: Float[Tensor, " d_sae"]) -> Float[Tensor, " d_sae"]:
    """log10 of firing frequencies (firings per token)."""
    return torch.log10(frequency.double() + _NEVER).float()


def inference_module(trained: Any) -> Any:
    """The SAE to use, from SAELens's training SAE: BatchTopK and Matryoshka become jumprelu."""
    with TemporaryDirectory() as folder:
        trained.to("cpu").save_inference_model(folder)
        return read_sae(Path(folder))


def write_module(folder: Path, module: Any, frequency: Float[Tensor, " d_sae"]) -> None:
    """Write cfg.json, sae_weights.safetensors and sparsity.safetensors into a folder.

    Args:
        folder: made where it is not there; what is in it stays.
        module: SAELens's SAE, for use and not for training.
        frequency: share of the tokens on which each latent fires.
    """
    folder.mkdir(parents=True, exist_ok=True)
    module.save_model(folder)
    write_json(folder / "cfg.json", read_json(folder / "cfg.json"))  # with sorted keys
    (folder / "sparsity.safetensors").write_bytes(save({"sparsity": log_sparsity(frequency)}))


def save_module(folder: Path, module: Any, frequency: Float[Tensor, " d_sae"]) -> None:
    """The same, whole or not at all; the folder is replaced if it exists."""
    with atomic_folder(folder) as part:
        write_module(part, module, frequency)


def fold_input_scale(module: Any, corpus: Corpus) -> None:
    """Fold expected_average_only_in into an SAE's weights, in place.

    Such an SAE expects a stream whose mean norm is sqrt(d_in) (Anthropic, April 2024); where the
    factor was not saved with it, it is estimated on the corpus's used tokens, as SAELens does.
    """
    used = torch.from_numpy(corpus.used)
    total = 0.0
    for where, x in corpus.batches(1 << 16):
        total += float(x[used[where]].norm(dim=1).double().sum())
    module.fold_activation_norm_scaling_factor(corpus.width**0.5 * int(used.sum()) / total)
