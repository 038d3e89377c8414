"""What each latent says of the next token, read off the weights: decoder row times unembedding.

The weights of all latents are d_sae x vocabulary, too many to hold. They are computed in blocks of
latents, and within a block in tiles of the vocabulary: the moments of a tile and the extremes of
its columns are taken while it is in the cache, so the pass costs little more than its products.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from evenkeel.errors import BadInputError

BLOCK = 512
"""Latents whose weights are held at once."""
TILE = 1024
"""Columns of one matrix product; a multiple of _LANES."""
_CHUNK = 256
_LANES = 1024
"""Rows and columns that pass through the cache together. Column c is in lane c % _LANES."""
_SKEW = 16
"""Spare columns that keep rows from starting at the same place in every page of memory."""


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

    @classmethod
    def of(cls, parts: Sequence["LogitWeights"]) -> "LogitWeights":
        """Those of consecutive latents together."""
        names = [field.name for field in fields(cls)]
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in names))

    def cpu(self) -> "LogitWeights":
        """The same on the CPU."""
        return LogitWeights(*(getattr(self, field.name).cpu() for field in fields(self)))


def logit_weights(
    decoder: Float[Tensor, "latents d_model"],
    unembedding: Float[Tensor, "d_model vocab"],
    k: int,
    latents: range | None = None,
) -> LogitWeights:
    """Statistics of `decoder @ unembedding` in one pass over it, without ever holding it.

    The product is the plain one, as in SAELens: the scale and the centering of the final norm are
    not folded in. Moments are about the mean, which is known before the pass (it is the decoder
    row times the mean unembedding), and agree with `scipy.stats` (bias=True, fisher=False).

    Args:
        decoder: direction that a latent adds to the stream.
        unembedding: transposed weight of the output layer.
        k: tokens to name at either end.
        latents: some of them, from a multiple of BLOCK on; all, if not given.

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
        wanted = range(len(decoder)) if latents is None else latents
        parts = list(_blocks(decoder.float(), unembedding.float(), k, wanted))
    return LogitWeights(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def _blocks(
    decoder: Float[Tensor, "latents d_model"],
    unembedding: Float[Tensor, "d_model vocab"],
    k: int,
    latents: range,
) -> Iterator[tuple[Tensor, ...]]:
    """The fields of LogitWeights of some latents, a block at a time."""
    vocab = unembedding.shape[1]
    average = unembedding.mean(dim=1, keepdim=True)
    means = (decoder.double() @ average.double()).float()
    # Products with this are centered already: no pass over them is needed to take the mean off.
    unembedding = unembedding - average
    lanes = -(-vocab // _LANES)
    size = min(BLOCK, len(decoder))
    buffer = decoder.new_empty(size, lanes * _LANES + _SKEW)[:, : lanes * _LANES]
    norms = decoder.new_empty(3, lanes, size)
    scratch = decoder.new_empty(_CHUNK * _LANES)
    for start in range(latents.start, latents.stop, BLOCK):
        rows = decoder[start : start + BLOCK]
        mean = means[start : start + BLOCK]
        block = buffer[: len(rows)]
        largest = block.new_full((len(rows), _LANES), -torch.inf)
        smallest = block.new_full((len(rows), _LANES), torch.inf)
        for first in range(0, vocab, TILE):
            tile = block[:, first : min(first + TILE, vocab)]
            torch.mm(rows, unembedding[:, first : first + TILE], out=tile)
            for top in range(0, len(rows), _CHUNK):
                chunk = slice(top, top + _CHUNK)
                for number, part in enumerate(tile[chunk].split(_LANES, 1), first // _LANES):
                    width = part.shape[1]  # less at the end of the vocabulary
                    high, low = largest[chunk, :width], smallest[chunk, :width]
                    torch.maximum(high, part, out=high)
                    torch.minimum(low, part, out=low)
                    powers = scratch[: part.numel()].view(part.shape)
                    _power_sums(part, powers, norms[:, number, : len(rows)][:, chunk])
        second, third, fourth = norms[:, :, : len(rows)].double()
        second, third, fourth = (
            total.sum(0) / vocab for total in (second.square(), third, fourth.square())
        )
        block[:, vocab:] = -torch.inf
        top_ids, top_values = _extremes(block, largest, k, largest=True)
        block[:, vocab:] = torch.inf
        bottom_ids, bottom_values = _extremes(block, smallest, k, largest=False)
        yield (
            mean[:, 0],
            second.sqrt().float(),
            (third / second**1.5).float(),
            (fourth / second**2).float(),
            top_ids,
            top_values + mean,
            bottom_ids,
            bottom_values + mean,
        )


def _power_sums(
    centered: Float[Tensor, "rows columns"],
    scratch: Float[Tensor, "rows columns"],
    out: Float[Tensor, "3 rows"],
) -> None:
    """Each row's norm, sum of cubes, and norm of squares."""
    torch.linalg.vector_norm(centered, dim=1, out=out[0])
    torch.mul(centered, centered, out=scratch)
    torch.linalg.vector_norm(scratch, dim=1, out=out[2])
    torch.sum(scratch.mul_(centered), 1, out=out[1])


def _extremes(
    block: Float[Tensor, "rows padded"],
    lanes: Float[Tensor, "rows lanes"],
    k: int,
    largest: bool,
) -> tuple[Int[Tensor, "rows k"], Float[Tensor, "rows k"]]:
    """The k largest (or smallest) of each row, found in the k lanes with the best extremes.

    Exact: what lies in another lane is beaten by the extremes of those k.
    """
    chosen = lanes.topk(k, largest=largest).indices
    strides = torch.arange(0, block.shape[1], _LANES, device=block.device)
    columns = (chosen[..., None] + strides).flatten(1)
    best = block.gather(1, columns).topk(k, largest=largest)
    return columns.gather(1, best.indices), best.values
