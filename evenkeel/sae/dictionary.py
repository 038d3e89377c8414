"""The dictionary of a model: its SAE, and how often each latent fires."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.sae.loading import LoadedSae, open_sae
from evenkeel.tensor_files import open_tensors


@dataclass(frozen=True, eq=False)
class Dictionary:
    """What train_sae writes."""

    sae: LoadedSae
    frequency: Float[Tensor, " d_sae"]
    """Share of the corpus's tokens on which each latent fires."""

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read cfg.json, sae_weights.safetensors and sparsity.safetensors.

        Raises:
            BadInputError: as of `open_sae`; the frequencies are missing or of another SAE.
        """
        sae = open_sae(folder)
        path = folder / "sparsity.safetensors"
        sparsity = open_tensors(path)[0].get("sparsity")
        if sparsity is None or sparsity.shape != (sae.d_sae,):
            raise BadInputError(
                f"{path}: no sparsity for each of {sae.d_sae} latents; run train_sae again"
            )
        return cls(sae, 10 ** sparsity.double())
