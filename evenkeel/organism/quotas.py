"""Shares as exact counts, so that no sampling noise comes between a table and its corpus."""

from collections.abc import Sequence

import numpy as np


def quotas(total: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers in proportion to `weights` that add up to `total`, each within 1 of its share.

    Largest remainders are rounded up; of equal ones those that come first.

    Args:
        total: what is divided.
        weights: at least one above 0, none below.
    """
    exact = np.asarray(weights, dtype=np.float64)
    exact = total * exact / exact.sum()
    counts = np.floor(exact + 1e-9).astype(int)
    by_remainder = np.argsort(counts - exact, kind="stable")
    counts[by_remainder[: total - counts.sum()]] += 1
    return [int(count) for count in counts]
