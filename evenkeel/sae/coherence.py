"""Whether the tokens that a latent promotes have something in common."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def coherence(
    ids: Int[Tensor, "latents k"],
    weights: Float[Tensor, "latents k"],
    embeddings: Float[Tensor, "vocab d_model"],
) -> Float[Tensor, " latents"]:
    """Weighted mean cosine between the embeddings of each latent's tokens, over all pairs.

    The mean embedding of the vocabulary is taken off first: it makes any two tokens alike.

    Args:
        ids: tokens of each latent, at least two.
        weights: importance of each; what is negative counts as 0. A pair weighs their product.
        embeddings: input embeddings.

    Returns:
        From -1 to 1; NaN for a latent with fewer than two weights above 0.
    """
    units = torch.nn.functional.normalize(embeddings.float() - embeddings.float().mean(0), dim=1)
    chosen = units[ids]
    weights = weights.float().clamp(min=0)
    weights = weights / weights.amax(1, keepdim=True)
    # All ordered pairs at once: |sum w u|^2 minus each one with itself.
    resultant = torch.einsum("lk,lkd->ld", weights, chosen).square().sum(1)
    squares = weights.square()
    own = (squares * chosen.square().sum(2)).sum(1)
    return (resultant - own) / (weights.sum(1).square() - squares.sum(1))
