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
"""Columns of one matrix product. Column c of the vocabulary is in lane c % TILE."""


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
    if not 0 < k <= min(vocab, TILE):
        raise BadInputError(
            f"features.tokens: {k} tokens at either end; must be 1 to {min(vocab, TILE)}"
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
    average = unembedding.mean(dim=1, keepdim=True).double()
    columns = unembedding.split(TILE, 1)
    size = min(BLOCK, len(latents))
    # Tile by tile, so that each is one piece of memory.
    buffer = decoder.new_empty(len(columns), size, TILE)
    scratch = decoder.new_empty(size * TILE)
    for start in range(latents.start, latents.stop, BLOCK):
        rows = decoder[start : min(start + BLOCK, latents.stop)]
        mean = (rows.double() @ average).float()
        to_center = -mean
        block = buffer[:, : len(rows)]
        norms = block.new_empty(len(columns), 3, len(rows))
        largest = block.new_full((len(rows), TILE), -torch.inf)
        smallest = block.new_full((len(rows), TILE), torch.inf)
        for some, tile, out in zip(columns, block, norms, strict=True):
            width = some.shape[1]  # less at the end of the vocabulary
            tile, high, low = tile[:, :width], largest[:, :width], smallest[:, :width]
            # The product is added to what takes the mean off: no pass of its own is needed.
            torch.addmm(to_center, rows, some, out=tile)
            torch.maximum(high, tile, out=high)
            torch.minimum(low, tile, out=low)
            _power_sums(tile, scratch[: tile.numel()].view(tile.shape), out)
        second, third, fourth = norms.double().unbind(1)
        second, third, fourth = (
            total.sum(0) / vocab for total in (second.square(), third, fourth.square())
        )
        block[-1, :, width:] = -torch.inf
        top_ids, top_values = _extremes(block, largest, k, largest=True)
        block[-1, :, width:] = torch.inf
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
    norm, cubes, squares = out
    torch.linalg.vector_norm(centered, dim=1, out=norm)
    torch.mul(centered, centered, out=scratch)
    torch.linalg.vector_norm(scratch, dim=1, out=squares)
    torch.sum(scratch.mul_(centered), 1, out=cubes)


def _extremes(
    block: Float[Tensor, "tiles rows lanes"],
    lanes: Float[Tensor, "rows lanes"],
    k: int,
    largest: bool,
) -> tuple[Int[Tensor, "rows k"], Float[Tensor, "rows k"]]:
    """The k largest (or smallest) of each row: in the k best lanes, and there in the k best tiles.

    Exact: what lies in another lane (or tile) is beaten by the extremes of those k.
    """
    tiles, rows, width = block.shape
    lane = lanes.topk(k, largest=largest, sorted=False).indices
    weights = block.gather(2, lane.expand(tiles, rows, k)).transpose(0, 1)
    of_tiles = weights.amax(2) if largest else weights.amin(2)
    tile = of_tiles.topk(min(k, tiles), largest=largest, sorted=False).indices
    weights = weights.gather(1, tile[..., None].expand(-1, -1, k))
    best = weights.flatten(1).topk(k, largest=largest)
    ids = tile.gather(1, best.indices // k) * width + lane.gather(1, best.indices % k)
    return ids, best.values
