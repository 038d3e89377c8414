"""Many short texts in one row: no padding to compute, and every batch a fair sample of them."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

IGNORED = -100
"""Target of a position that has none; `torch.nn.functional.cross_entropy` skips it."""


class PackedBatch(NamedTuple):
    """Texts one after another; positions start anew with each, which keeps them apart."""

    inputs: Int[Tensor, "rows context"]
    positions: Int[Tensor, "rows context"]
    targets: Int[Tensor, "rows context"]
    """The next token of the same text, or `IGNORED`."""


def packed_batches(
    texts: Sequence[Sequence[int]], rows: int, context: int, seed: int
) -> Iterator[PackedBatch]:
    """Endless batches in which each text occurs once per epoch, in a new order every time.

    transformers attends within a text only wherever positions fall back, as they do here, if it is
    given no attention mask.

    Args:
        texts: token ids of each text, first and last token included; at most `context` + 1 long.
        rows: rows of a batch.
        context: tokens of a row.
        seed: decides the orders.
    """
    stream = _shuffled(texts, seed)
    text = next(stream)
    while True:
        inputs = torch.zeros(rows, context, dtype=torch.long)
        positions = torch.zeros_like(inputs)
        targets = torch.full_like(inputs, IGNORED)
        for row in range(rows):
            start = 0
            while (stop := start + len(text) - 1) <= context:
                inputs[row, start:stop] = torch.tensor(text[:-1])
                positions[row, start:stop] = torch.arange(stop - start)
                targets[row, start:stop] = torch.tensor(text[1:])
                start, text = stop, next(stream)
        yield PackedBatch(inputs, positions, targets)


def _shuffled(texts: Sequence[Sequence[int]], seed: int) -> Iterator[Sequence[int]]:
    rng = random.Random(seed)
    order = list(range(len(texts)))
    while True:
        rng.shuffle(order)
        yield from (texts[index] for index in order)
