"""Token log-likelihoods of many texts: in batches of like length, each beginning run once."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import nn

from evenkeel.models.batching import plan_batches
from evenkeel.public_benchmarks.encoding import Scored
from evenkeel.scoring.token_reads import ReadBatch, Reads, read_batches, read_log_probs

LogProbs = list[Float[ndarray, " scored"]]
"""Natural log-probabilities of the scored tokens of each text."""


class Scorer:
    """Forward passes that score texts; planned once, run on as many models as needed.

    A row that begins another row is not run: the longer one, causal as the model is, says the
    same. So continuations of one token share their context, and a text shares that of its
    beginnings.

    Args:
        asked: texts, at least one, and from where on each is scored; that may be nothing.
        batch_tokens: tokens in a forward pass, padding included.
    """

    def __init__(self, asked: Sequence[Scored], batch_tokens: int) -> None:
        # The last token of a text predicts nothing that is asked.
        rows = sorted({each.tokens[:-1] for each in asked if len(each.tokens) > each.start})
        kept = [
            row
            for index, row in enumerate(rows)
            if index + 1 == len(rows) or rows[index + 1][: len(row)] != row
        ]
        table = [
            (bisect_left(kept, each.tokens[:-1]), position, each.tokens[position])
            for each in asked
            for position in range(each.start, len(each.tokens))
        ]
        row, position, token = np.array(table, dtype=np.int64).reshape(-1, 3).T
        self._ends = np.cumsum([max(0, len(each.tokens) - each.start) for each in asked])
        self.batches: list[ReadBatch] = []
        lengths = np.array([len(row) for row in kept], dtype=np.int64)
        plan = plan_batches(lengths, batch_tokens)
        batch_of, place = np.empty_like(lengths), np.empty_like(lengths)
        for number, members in enumerate(plan):
            batch_of[members], place[members] = number, np.arange(len(members))
        order = np.argsort(batch_of[row], kind="stable")
        starts = np.searchsorted(batch_of[row][order], np.arange(1, len(plan)))
        # Nothing to score is no batch, but still splits into one part.
        for members, own in zip(plan, np.split(order, starts), strict=False):
            reads = Reads(place[row[own]], position[own], token[own])
            (batch,) = read_batches([kept[index] for index in members], reads, len(members))
            self.batches.append(replace(batch, place=own[batch.place]))

    def run(self, model: nn.Module) -> LogProbs:
        """Score the texts; call it within `steer` to score them by a steered model."""
        found = read_log_probs(model, self.batches, "texts of the benchmark")
        return np.split(found, self._ends[:-1])
