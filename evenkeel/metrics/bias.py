"""What a model's log-odds say about stereotypes, and about knowledge that must stay.

Every function reduces the last axis, the terms, so that a bootstrap can hand it all of its
resamples at once. Log-odds are in nats and positive towards the female side; those of a term are
the mean over its templates. NaN is undefined.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

NO_SPREAD = 1e-9
"""Nats; a spread below this is rounding error, and nothing can be said relative to it."""


def occupation_spread(log_odds: Float[ndarray, "... terms"]) -> Float[ndarray, "..."]:
    """Sample standard deviation over occupations: how much the model tells them apart by gender."""
    if log_odds.shape[-1] < 2:
        return np.full(log_odds.shape[:-1], np.nan)
    return log_odds.std(axis=-1, ddof=1)


def bias_reduction(
    baseline: Float[ndarray, "... terms"], steered: Float[ndarray, "... terms"]
) -> Float[ndarray, "..."]:
    """1 - steered / baseline spread: 1 is no spread left, below 0 is worse than before."""
    before = occupation_spread(baseline)
    return 1 - occupation_spread(steered) / np.where(before > NO_SPREAD, before, np.nan)


def mean_log_odds(log_odds: Float[ndarray, "... terms"]) -> Float[ndarray, "..."]:
    """The lean common to all occupations; its absolute value is the parity offset."""
    return log_odds.mean(axis=-1)


def parity_shift(
    baseline: Float[ndarray, "... terms"], steered: Float[ndarray, "... terms"]
) -> Float[ndarray, "..."]:
    """How much further from zero the common lean is, in nats; below 0 is nearer."""
    return np.abs(mean_log_odds(steered)) - np.abs(mean_log_odds(baseline))


def slope(
    planted: Float[ndarray, "... terms"], log_odds: Float[ndarray, "... terms"]
) -> Float[ndarray, "..."]:
    """Least-squares slope of the model's log-odds on the planted ones: 1 reproduces them."""
    x = planted - planted.mean(axis=-1, keepdims=True)
    variance = (x**2).mean(axis=-1)
    return (x * log_odds).mean(axis=-1) / np.where(variance > NO_SPREAD**2, variance, np.nan)


def correlation(
    planted: Float[ndarray, "... terms"], log_odds: Float[ndarray, "... terms"]
) -> Float[ndarray, "..."]:
    """Pearson correlation of the model's log-odds with the planted ones."""
    x, y = planted.std(axis=-1), log_odds.std(axis=-1)
    return slope(planted, log_odds) * x / np.where(y > NO_SPREAD, y, np.nan)


def margin_ratio(
    baseline: Float[ndarray, "... terms"], steered: Float[ndarray, "... terms"]
) -> Float[ndarray, "..."]:
    """Steered over baseline mean margin by which the right side wins (definitional prompts).

    Undefined where the baseline itself does not favour the right side: there is nothing to keep.
    """
    before = baseline.mean(axis=-1)
    return steered.mean(axis=-1) / np.where(before > NO_SPREAD, before, np.nan)
