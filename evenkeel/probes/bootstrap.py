"""Intervals that resample terms, because sentences that share a term are not independent."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from evenkeel.errors import BadInputError

Weights = Float[np.ndarray, "resamples rows"]


def term_weights(
    terms: Sequence[tuple[str, ...]], resamples: int, generator: np.random.Generator
) -> Weights:
    """Weights of rows in bootstrap resamples of the terms that fill the sentences.

    The terms of each slot (group term, attribute) are drawn with replacement on their own, and a
    row weighs the product of how often each of its terms was drawn: the pigeonhole bootstrap
    (Owen 2007, "The pigeonhole bootstrap", Annals of Applied Statistics), for rows that are
    crossed by several factors. It errs on the wide side. The order of rows does not matter.

    Args:
        terms: what fills each sentence, slot by slot; every row has the same slots.
        resamples: number of draws.
        generator: source of the draws.
    """
    assert terms, "nothing to resample"
    weights = np.ones((resamples, len(terms)), dtype=np.float64)
    for slot in zip(*terms, strict=True):
        names, codes = np.unique(np.asarray(slot), return_inverse=True)
        drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
        weights *= drawn[:, codes]
    return weights


def interval95(values: Float[np.ndarray, " resamples"], where: str) -> tuple[float, float]:
    """Percentile interval of a measure over resamples; those where it is undefined are left out.

    Args:
        values: the measure in each resample, NaN where it is undefined (a class drawn empty).
        where: what the values are of, for the message.

    Raises:
        BadInputError: it is undefined in most of them.
    """
    defined = values[np.isfinite(values)]
    if 2 * len(defined) < len(values):
        raise BadInputError(
            f"{where}: too few terms for an interval (most resamples lack a class); "
            "use more statements"
        )
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)
