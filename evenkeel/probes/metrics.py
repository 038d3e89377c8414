"""How well scores tell two classes apart, for many weightings of the rows at once."""

import numpy as np
from jaxtyping import Bool, Float

Scores = Float[np.ndarray, " rows"]
Positive = Bool[np.ndarray, " rows"]
Weights = Float[np.ndarray, "resamples rows"]
Values = Float[np.ndarray, " resamples"]


def accuracy(scores: Scores, positive: Positive, weights: Weights | None = None) -> Values:
    """Weighted share of rows whose score is over 0 exactly if they are positive.

    Args:
        scores: higher is more positive.
        positive: the classes.
        weights: one weighting a resample; None is a single one in which every row weighs 1.

    Returns:
        One value a weighting, from 0 to 1; NaN where all weights are 0.
    """
    weights = _weights(scores, weights)
    right = (scores > 0) == positive
    with np.errstate(invalid="ignore"):
        return weights @ right / weights.sum(axis=1)


def auroc(scores: Scores, positive: Positive, weights: Weights | None = None) -> Values:
    """Weighted probability that a positive row scores over a negative one; ties count half.

    Args: as of `accuracy`.

    Returns:
        One value a weighting, from 0 to 1, 0.5 at chance; NaN where a class has no weight.
    """
    weights = _weights(scores, weights)
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])  # of runs of equal scores
    sorted_weights = weights[:, order]
    high = np.add.reduceat(sorted_weights * positive[order], starts, axis=1)
    low = np.add.reduceat(sorted_weights * ~positive[order], starts, axis=1)
    below = np.cumsum(low, axis=1) - low
    wins = (high * (below + low / 2)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return wins / (high.sum(axis=1) * low.sum(axis=1))


def log_loss(scores: Scores, positive: Positive) -> float:
    """Mean cross-entropy in nats of the classes under sigmoid(scores)."""
    return float(np.logaddexp(0, np.where(positive, -scores, scores)).mean())


def _weights(scores: Scores, weights: Weights | None) -> Weights:
    return np.ones((1, len(scores))) if weights is None else weights
