"""Which texts go through the model together."""

import numpy as np
from jaxtyping import Int

MAX_PADDING = 0.05
"""Largest share of a batch's tokens that may be padding."""


def plan_batches(
    lengths: Int[np.ndarray, " texts"], budget: int
) -> list[Int[np.ndarray, " batch"]]:
    """Group texts of nearly the same length.

    Args:
        lengths: tokens in each text.
        budget: tokens in a batch, padding included. A text longer than it is a batch of its own.

    Returns:
        Indices of the texts of each batch, each text once, the longest first: what does not fit
        into the device's memory fails at once and not after hours.
    """
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        candidates = lengths[order[start : start + max(1, budget // longest)]]
        padded = longest * np.arange(1, len(candidates) + 1)
        # Lengths only fall, so the share of padding only grows: the last that fits ends the batch.
        fits = padded - np.cumsum(candidates) <= MAX_PADDING * padded
        size = int(np.count_nonzero(fits))
        batches.append(order[start : start + size])
        start += size
    return batches
