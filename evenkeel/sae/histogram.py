"""The shape of each latent's logit weights over the vocabulary, as a histogram."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

BLOCK = 256
"""Latents whose weights are held at once."""
BINS = 40


def weight_histograms(
    decoder: Float[Tensor, "latents d_model"],
    unembedding: Float[Tensor, "d_model vocab"],
    bins: int = BINS,
) -> Int[Tensor, "latents bins"]:
    """How many tokens of the vocabulary have a logit weight in each of `bins` equal steps.

    A latent's bins go from its own smallest weight to its largest, both included: few tokens far
    from the bulk are what makes it speak of something. All tokens are in the first bin where all
    weights are the same.

    Args:
        decoder: direction that a latent adds to the stream.
        unembedding: transposed weight of the output layer.
        bins: how many.
    """
    counts = []
    with torch.inference_mode():
        for rows in decoder.float().split(BLOCK):
            weights = rows @ unembedding.float()
            low, high = weights.aminmax(dim=1, keepdim=True)
            steps = (weights - low) / (high - low).clamp_min(torch.finfo(weights.dtype).tiny)
            index = (steps * bins).long().clamp_(max=bins - 1)
            index += bins * torch.arange(len(rows), device=index.device)[:, None]
            flat = torch.bincount(index.flatten(), minlength=bins * len(rows))
            counts.append(flat.view(len(rows), bins))
    return torch.cat(counts)
