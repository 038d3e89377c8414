"""Random SAEs, whose latents fire often enough for tests to see what is done to them."""

from typing import Any

import torch

from evenkeel.models.sites import HookPoint
from evenkeel.params import Site
from evenkeel.sae.loading import LoadedSae

ARCHITECTURES = ("standard", "topk", "jumprelu", "gated")


def random_sae(
    site: Site, layer: int, architecture: str = "standard", *, first: int = 0, seed: int = 0
) -> LoadedSae:
    """12 latents of a stream 32 wide; the first tokens are left alone as `first` says."""
    from sae_lens import SAE

    config: dict[str, Any] = {
        "architecture": architecture,
        "d_in": 32,
        "d_sae": 12,
        "normalize_activations": "none",
        "metadata": {
            "hook_name": HookPoint(site, layer).hook_name,
            "seqpos_slice": [first, None] if first else [None],
        },
    }
    module = SAE.from_dict(config | ({"k": 3} if architecture == "topk" else {}))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return LoadedSae.of(module)
