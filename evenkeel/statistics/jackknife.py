"""Intervals from leaving out one term at a time."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.stats import t as student


def left_out(units: int) -> Int[ndarray, "units others"]:
    """Row i indexes all units but the i-th."""
    others = np.arange(units - 1, dtype=np.int32)[None].repeat(units, axis=0)
    return others + (others >= np.arange(units)[:, None])


def log_jackknife(
    statistic: Callable[..., Float[ndarray, "..."]], *columns: Float[ndarray, " units *groups"]
) -> tuple[float, float] | None:
    """95 % interval of a positive measure of scale: Student's, of the jackknife of its logarithm.

    The logarithm makes the spread of a standard deviation nearly the same whatever its size, and
    centring on the mean of the pseudo-values removes its bias (Miller 1968, "Jackknifing
    variances"); the interval is as wide as n / (n - 1) asks for (Hesterberg 2015, section 3.3).
    That of the standard deviation of 20 terms holds the truth in 95 % of cases for normal terms and
    for the occupations' own log-odds, where the bootstrap's (BCa) does in 90 and 92 %.

    Args:
        statistic: reduces the units of its arguments to a positive number.
        columns: one value, or one row of groups, for each unit, NaN-free.

    Returns:
        None where the measure, of all or without one of the units, is not positive.
    """
    pseudo = _log_pseudo_values(statistic, *columns)
    if pseudo is None:
        return None
    units = len(pseudo)
    reach = student.ppf(0.975, units - 1) * pseudo.std(ddof=1) / np.sqrt(units - 1)
    return float(np.exp(pseudo.mean() - reach)), float(np.exp(pseudo.mean() + reach))


def log_upper_bound(
    statistic: Callable[..., Float[ndarray, "..."]],
    *columns: Float[ndarray, " units *groups"],
    alpha: float,
) -> float | None:
    """The one-sided upper confidence bound of level 1 - alpha that goes with `log_jackknife`.

    A limit above it is one that the measure is shown to keep: the test of non-inferiority.
    """
    pseudo = _log_pseudo_values(statistic, *columns)
    if pseudo is None:
        return None
    units = len(pseudo)
    reach = student.ppf(1 - alpha, units - 1) * pseudo.std(ddof=1) / np.sqrt(units - 1)
    return float(np.exp(pseudo.mean() + reach))


def _log_pseudo_values(
    statistic: Callable[..., Float[ndarray, "..."]], *columns: Float[ndarray, " units *groups"]
) -> Float[ndarray, " units"] | None:
    """Those of the logarithm of a measure; None where it, or without a unit, is not positive."""
    units = len(columns[0])
    if units < 3:
        return None
    rest = left_out(units)
    with np.errstate(all="ignore"):
        value = np.log(statistic(*columns))
        without = np.log(statistic(*(column[rest] for column in columns)))
        pseudo = units * value - (units - 1) * without
    return pseudo if np.isfinite(pseudo).all() else None
