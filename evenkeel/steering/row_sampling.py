"""Sampling in which every row of a batch has random numbers of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

GREEDY = 1e-5
"""A temperature below this is greedy: dividing by it would overflow."""


@dataclass
class RowSampler:
    """How the tokens of one row are chosen.

    Noise of a standard Gumbel distribution is added to the scaled logits, and the largest wins:
    that is a draw from their softmax (Gumbel 1954; Maddison et al. 2014, "A* Sampling", section 2).
    Two models that draw from the same seed then part only where they disagree enough, because the
    same noise is added to both (Oberst and Sontag 2019, "Counterfactual Off-Policy Evaluation with
    Gumbel-Max Structural Causal Models").
    """

    temperature: float = 0.0
    top_p: float = 1.0
    """Share of the probability that is kept, the most probable tokens first."""
    seed: int = 0

    def __post_init__(self) -> None:
        self._generator = torch.Generator().manual_seed(self.seed % 2**63)

    @property
    def greedy(self) -> bool:
        return self.temperature < GREEDY

    def scores(self, logits: Float[Tensor, " vocab"]) -> Float[Tensor, " vocab"]:
        """Scores in float32 whose largest is the next token; draws random numbers unless greedy."""
        if self.greedy:
            return logits.float()
        scaled = logits.float() / self.temperature
        if self.top_p < 1:
            scaled = _nucleus(scaled, self.top_p)
        noise = torch.empty(len(logits)).exponential_(generator=self._generator).log()
        return scaled - noise.to(scaled.device)


def _nucleus(logits: Float[Tensor, " vocab"], top_p: float) -> Float[Tensor, " vocab"]:
    """Minus infinity for all but the fewest tokens whose probabilities add up to `top_p`."""
    ordered, order = logits.softmax(-1).sort(descending=True, stable=True)
    dropped = ordered.cumsum(-1) - ordered >= top_p
    dropped[0] = False
    return logits.masked_fill(torch.zeros_like(dropped).scatter(-1, order, dropped), -torch.inf)


class RowSamplers:
    """A logits processor of transformers that gives each row its own random numbers.

    Hand it to `generate(..., do_sample=False, logits_processor=[RowSamplers(samplers)])`: the
    largest of the scores is a draw.
    """

    def __init__(self, samplers: Sequence[RowSampler]) -> None:
        """One sampler a row, in order."""
        self._samplers = samplers

    def __call__(
        self, _input_ids: Int[Tensor, "rows columns"], scores: Float[Tensor, "rows vocab"]
    ) -> Float[Tensor, "rows vocab"]:
        if all(sampler.greedy for sampler in self._samplers):
            return scores
        return torch.stack(
            [sampler.scores(row) for sampler, row in zip(self._samplers, scores, strict=True)]
        )
