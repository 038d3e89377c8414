"""What each latent says of the next token, read off the weights: decoder row times unembedding.

The weights of all latents are d_sae x vocabulary, too many to hold. They are computed in blocks of
latents, and within a block in tiles of the vocabulary: the moments of a tile and the extremes of
its columns are taken while it is in the cache, so the pass costs little more than its products.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from evenkeel.errors import BadInputError

_LANES = 128
"""Columns that lie side by side in a bucket row: reducing across whole rows is what vectorizes."""
_TILE = 4096
_BLOCK = 512


@dataclass(frozen=True)
class LogitWeights:
    """Moments and extremes of each latent's logit weights over the vocabulary."""

    mean: Float[Tensor, " latents"]
    std: Float[Tensor, " latents"]
    """Population standard deviation (divided by the size of the vocabulary)."""
    skewness: Float[Tensor, " latents"]
    """Mean cubed z-score; NaN where all weights are the same."""
    kurtosis: Float[Tensor, " latents"]
    """Mean fourth power of the z-score: 3 for a normal distribution, nothing subtracted."""
    top_ids: Int[Tensor, "latents k"]
    """Token ids, the largest weight first."""
    top_values: Float[Tensor, "latents k"]
    bottom_ids: Int[Tensor, "latents k"]
    """Token ids, the smallest weight first."""
    bottom_values: Float[Tensor, "latents k"]


def logit_weights(
    decoder: Float[Tensor, "latents d_model"], unembedding: Float[Tensor, "d_model vocab"], k: int
) -> LogitWeights:
    """Statistics of `decoder @ unembedding` in one pass over it, without ever holding it.

    The product is the plain one, as in SAELens: the scale and the centering of the final norm are
    not folded in. Moments are about the mean, which is known before the pass (it is the decoder
    row times the mean unembedding), and agree with `scipy.stats` (bias=True, fisher=False).

    Args:
        decoder: direction that a latent adds to the stream.
        unembedding: transposed weight of the output layer.
        k: tokens to name at either end.

    Returns:
        float32 on the decoder's device.

    Raises:
        BadInputError: the widths differ, or the vocabulary has fewer than `k` tokens.
    """
    vocab = unembedding.shape[1]
    if decoder.shape[1] != unembedding.shape[0]:
        raise BadInputError(
            f"the decoder writes vectors of width {decoder.shape[1]}, but the unembedding reads "
            f"width {unembedding.shape[0]}; the SAE is of another model or site"
        )
    if not 0 < k <= min(vocab, _LANES):
        raise BadInputError(
            f"features.tokens: {k} tokens at either end; must be 1 to {min(vocab, _LANES)}"
        )
    with torch.inference_mode():
        parts = list(_blocks(decoder.float(), unembedding.float(), k))
    return LogitWeights(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def _blocks(
    decoder: Float[Tensor, "latents d_model"], unembedding: Float[Tensor, "d_model vocab"], k: int
) -> Iterator[tuple[Tensor, ...]]:
    """The fields of LogitWeights, a block of latents at a time."""
    vocab = unembedding.shape[1]
    means = (decoder.double() @ unembedding.mean(dim=1, dtype=torch.float64)).float()
    tile = min(_TILE, -(-vocab // _LANES) * _LANES)
    tiles = -(-vocab // tile)
    buffer = decoder.new_empty(min(_BLOCK, len(decoder)), tiles * tile)
    for start in tqdm(range(0, len(decoder), _BLOCK), "logit weights", unit="block", disable=None):
        rows = decoder[start : start + _BLOCK]
        mean = means[start : start + _BLOCK, None]
        block = buffer[: len(rows)]
        sums = torch.zeros(3, len(rows), dtype=torch.float64, device=rows.device)
        largest, smallest = [], []
        for first in range(0, vocab, tile):
            weights = block[:, first : min(first + tile, vocab)]
            torch.mm(rows, unembedding[:, first : first + tile], out=weights)
            weights -= mean
            sums += _power_sums(weights)
            whole = block[:, first : first + tile]
            padding = whole[:, weights.shape[1] :]
            buckets = whole.unflatten(1, (-1, _LANES))
            padding.fill_(-torch.inf)
            largest.append(buckets.amax(1))
            padding.fill_(torch.inf)
            smallest.append(buckets.amin(1))
        top = _extremes(block, torch.cat(largest, 1), tile, vocab, k, largest=True)
        bottom = _extremes(block, torch.cat(smallest, 1), tile, vocab, k, largest=False)
        second, third, fourth = sums / vocab
        yield (
            mean[:, 0],
            second.sqrt().float(),
            (third / second**1.5).float(),
            (fourth / second**2).float(),
            top[0],
            top[1] + mean,
            bottom[0],
            bottom[1] + mean,
        )


def _power_sums(centered: Float[Tensor, "latents tile"]) -> Float[Tensor, "3 latents"]:
    """Sums of second, third and fourth powers of each row."""
    squares = centered * centered
    second = torch.linalg.vector_norm(centered, dim=1).double() ** 2
    fourth = torch.linalg.vector_norm(squares, dim=1).double() ** 2
    third = squares.mul_(centered).sum(1)
    return torch.stack([second, third.double(), fourth])


def _extremes(
    block: Float[Tensor, "latents padded"],
    buckets: Float[Tensor, "latents buckets"],
    tile: int,
    vocab: int,
    k: int,
    largest: bool,
) -> tuple[Int[Tensor, "latents k"], Float[Tensor, "latents k"]]:
    """The k largest (or smallest) of each row, found in the k buckets with the best extremes.

    Exact: an element of the top k cannot lie in another bucket, as each of those k holds a better
    one.
    """
    chosen = buckets.topk(k, largest=largest).indices
    first = chosen // _LANES * tile + chosen % _LANES
    columns = (first[..., None] + torch.arange(0, tile, _LANES, device=block.device)).flatten(1)
    candidates = block.gather(1, columns)
    candidates[columns >= vocab] = -torch.inf if largest else torch.inf
    best = candidates.topk(k, largest=largest)
    return columns.gather(1, best.indices), best.values
