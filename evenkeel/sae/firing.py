"""When each latent fires, how strongly, and in which texts most: one pass over a corpus."""

from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

QUANTILES = (0.1, 0.5, 0.9, 0.99)
_OCTAVES = (-14, 18)
_BINS_PER_OCTAVE = 16
"""Bins are 4.4% wide, so that a quantile read off their centers is within 2.2%."""


@dataclass(frozen=True)
class Firing:
    """Statistics of each latent's activations; of those that are not 0 where it says active."""

    frequency: Float[Tensor, " latents"]
    """Share of the tokens on which it fires."""
    mean: Float[Tensor, " latents"]
    """Mean when active; 0 for a latent that never is."""
    maximum: Float[Tensor, " latents"]
    quantiles: Float[Tensor, "quantiles latents"]
    """QUANTILES of the active activations, to 2.2%."""
    texts: Int[Tensor, "latents k"]
    """The texts with the largest peaks, the largest first; -1 after the last that it fires in."""
    peaks: Float[Tensor, "latents k"]
    """Its largest activation in each."""


class FiringFitter:
    """Takes activations text by text, or what others found in later texts.

    Memory is bounded by latents and, until it is merged, by calls of `update`: their sums are added
    in the order of the texts, so that it is all the same who computed which.
    """

    def __init__(self, latents: int, k: int) -> None:
        """Prepare for `latents` latents, of which the `k` texts with the largest peaks are kept."""
        self._k = k
        self._tokens = 0
        self._sums = [torch.zeros(latents, dtype=torch.float64)]
        self._bins = (_OCTAVES[1] - _OCTAVES[0]) * _BINS_PER_OCTAVE
        self._histogram = torch.zeros(latents * self._bins, dtype=torch.int32)
        self._peaks = torch.zeros(k, latents)
        self._texts = torch.full((k, latents), -1)

    def update(
        self,
        latents: Float[Tensor, "tokens latents"],
        texts: Int[Tensor, " tokens"],
        candidates: Bool[Tensor, " tokens"],
    ) -> None:
        """Add tokens.

        Args:
            latents: activations, none negative.
            texts: number of each token's text; the tokens of a text come in one call.
            candidates: tokens of texts that may be among the top ones.
        """
        self._tokens += len(latents)
        self._sums.append(latents.sum(0, dtype=torch.float64))
        rows, columns = latents.nonzero(as_tuple=True)
        values = latents[rows, columns]
        bins = ((values.log2() - _OCTAVES[0]) * _BINS_PER_OCTAVE).long().clamp(0, self._bins - 1)
        self._histogram.index_add_(
            0, columns * self._bins + bins, torch.ones_like(columns, dtype=torch.int32)
        )
        latents, texts = latents[candidates], texts[candidates]
        names, index = texts.unique_consecutive(return_inverse=True)
        peaks = torch.zeros(len(names), latents.shape[1])
        peaks.scatter_reduce_(0, index[:, None].expand_as(latents), latents, "amax")
        self._rank(peaks, names[:, None].expand(-1, latents.shape[1]))

    def merge(self, later: "FiringFitter") -> None:
        """Add what another one found in texts after those of this one."""
        self._tokens += later._tokens
        self._sums = [reduce(torch.add, [*self._sums, *later._sums])]
        self._histogram += later._histogram
        self._rank(later._peaks, later._texts)

    def _rank(
        self, peaks: Float[Tensor, "texts latents"], names: Int[Tensor, "texts latents"]
    ) -> None:
        """Keep the largest peaks of those that were kept and those of later texts."""
        peaks = torch.cat([self._peaks, peaks])
        names = torch.cat([self._texts, names])
        # Stable, so that of equal peaks the earlier text wins.
        order = peaks.sort(dim=0, descending=True, stable=True).indices[: self._k]
        self._peaks = peaks.gather(0, order)
        self._texts = names.gather(0, order).where(self._peaks > 0, -1)

    def result(self) -> Firing:
        """What was found so far."""
        histogram = self._histogram.view(-1, self._bins)
        counts = histogram.sum(1)
        wanted = torch.tensor(QUANTILES, dtype=torch.float64)[:, None] * counts
        bins = torch.searchsorted(histogram.cumsum(1).double(), wanted.T.contiguous()).T
        centers = 2.0 ** ((bins.clamp(max=self._bins - 1) + 0.5) / _BINS_PER_OCTAVE + _OCTAVES[0])
        return Firing(
            frequency=counts / max(1, self._tokens),
            mean=(reduce(torch.add, self._sums) / counts.clamp(min=1)).float(),
            maximum=self._peaks[0],
            quantiles=centers.where(counts > 0, 0).float(),
            texts=self._texts.T,
            peaks=self._peaks.T,
        )
