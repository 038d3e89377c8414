"""Write an SAE in SAELens's format."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from evenkeel.files import atomic_folder, read_json, write_json

_NEVER = 1e-10
"""Added to a frequency before its logarithm, as SAELens does: a dead latent has sparsity -10."""


def log_sparsity(frequency: Float[Tensor, " d_sae"]) -> Float[Tensor, " d_sae"]:
    """log10 of firing frequencies (firings per token)."""
    return torch.log10(frequency.double() + _NEVER).float()


def save_module(folder: Path, module: Any, frequency: Float[Tensor, " d_sae"]) -> None:
    """Write cfg.json, sae_weights.safetensors and sparsity.safetensors, whole or not at all.

    Args:
        folder: replaced if it exists.
        module: SAELens's SAE; one that was trained is saved as it is used, so that BatchTopK and
            Matryoshka become jumprelu.
        frequency: share of the tokens on which each latent fires.
    """
    from sae_lens.saes.sae import TrainingSAE

    module = module.to("cpu")
    with atomic_folder(folder) as part:
        if isinstance(module, TrainingSAE):
            module.save_inference_model(part)
        else:
            module.save_model(part)
        write_json(part / "cfg.json", read_json(part / "cfg.json"))  # with sorted keys
        (part / "sparsity.safetensors").write_bytes(save({"sparsity": log_sparsity(frequency)}))
