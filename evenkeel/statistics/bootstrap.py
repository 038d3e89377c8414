"""Bootstrap intervals over terms, vectorized over resamples."""

from collections.abc import Callable, Sequence
from functools import cache, cached_property

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import ndtr, ndtri
from scipy.stats import beta
from scipy.stats import t as student

from evenkeel.statistics.estimate import Estimate
from evenkeel.statistics.jackknife import left_out

Statistic = Callable[..., Float[ndarray, "..."]]
"""Reduces the axis of the units of each argument: the last of a column, the last but one of a
table of groups. NaN where it is undefined."""

MAX_UNDEFINED = 0.05
"""Share of resamples on which a statistic may be undefined before its interval is, too."""


class ClusterBootstrap:
    """Resamples of `units` (terms, texts or prompts), drawn once.

    Every statistic sees the same resamples, so that a difference or ratio of two models is paired.

    Args:
        units: how many there are.
        resamples: how often they are drawn, each time as many as there are, with replacement; 0
            for values without intervals.
        seed: of the draws.
    """

    def __init__(self, units: int, resamples: int, seed: int) -> None:
        self.units = units
        generator = np.random.default_rng(seed)
        self._drawn = generator.integers(0, max(units, 1), (resamples, units), dtype=np.int32)
        self._left_out = left_out(units)

    def estimate(
        self, statistic: Statistic, *columns: Float[ndarray, " units *groups"]
    ) -> Estimate:
        """A statistic of the columns, with its interval.

        The interval is BCa (Efron 1987: quantiles moved for the bias and skew of the statistic)
        with its levels widened for few units (Hesterberg 2015, section 3.3). A standard deviation
        asks for more: `log_jackknife`.

        Args:
            statistic: reduces the units of its arguments.
            columns: one value, or one row of groups, for each unit, NaN-free; paired columns are
                resampled together.
        """
        return self._interval(
            statistic,
            columns,
            lambda column: column[self._drawn],
            lambda column: column[self._left_out],
        )

    def estimate_additive(
        self, statistic: Statistic, *columns: Float[ndarray, " units *groups"]
    ) -> Estimate:
        """As `estimate`, for a statistic that depends on the columns' sums only.

        Such a statistic gives the same when all units are put together into one, which is what it
        is handed; a thousand texts then cost no more than twenty terms.
        """
        return self._interval(
            statistic,
            columns,
            lambda column: (self._counts @ column)[:, None],
            lambda column: (column.sum() - column)[:, None],
        )

    @cached_property
    def _counts(self) -> Float[ndarray, "resamples units"]:
        """How often each resample holds each unit."""
        resamples = len(self._drawn)
        cells = self._drawn + np.arange(resamples)[:, None] * self.units
        counts = np.bincount(cells.ravel(), minlength=resamples * self.units)
        return counts.reshape(resamples, self.units).astype(float)

    def _interval(
        self,
        statistic: Statistic,
        columns: Sequence[Float[ndarray, " units *groups"]],
        resample: Callable[[ndarray], ndarray],
        leave_out: Callable[[ndarray], ndarray],
    ) -> Estimate:
        if self.units == 0:
            return Estimate(None)
        with np.errstate(all="ignore"):  # 0 / 0 is an undefined value here, not an accident
            value = float(statistic(*columns))
            if not np.isfinite(value):
                return Estimate(None)
            if self.units == 1 or not len(self._drawn):
                return Estimate(value)
            resampled = statistic(*map(resample, columns))
            jackknife = statistic(*map(leave_out, columns))
        defined = resampled[np.isfinite(resampled)]
        if defined.size < (1 - MAX_UNDEFINED) * resampled.size:
            return Estimate(value)
        levels = _levels(value, defined, jackknife[np.isfinite(jackknife)], self.units)
        low, high = np.quantile(defined, levels)
        return Estimate(value, float(low), float(high))


def _levels(
    value: float,
    resampled: Float[ndarray, " resamples"],
    jackknife: Float[ndarray, " units"],
    units: int,
) -> Float[ndarray, " 2"]:
    """Quantile levels of the widened BCa interval."""
    z = _reach(units)
    tolerance = 1e-9 * max(abs(value), 1e-12)
    below = np.mean(resampled < value - tolerance)
    equal = np.mean(np.abs(resampled - value) <= tolerance)
    # Half of the ties count as below, or a statistic of few distinct values would look biased.
    bias = ndtri(np.clip(below + equal / 2, 1 / resampled.size, 1 - 1 / resampled.size))
    pull = jackknife.mean() - jackknife if jackknife.size else np.zeros(1)
    largest = np.abs(pull).max()
    skew = 0.0
    if np.isfinite(largest) and largest > 0:
        pull = pull / largest
        skew = np.sum(pull**3) / (6 * np.sum(pull**2) ** 1.5)
    # Past this the correction turns over; it takes a lone unit that carries the whole statistic.
    stretch = np.maximum(1 - skew * (bias + z), 0.1)
    return ndtr(bias + (bias + z) / stretch)


@cache
def _reach(units: int) -> Float[ndarray, " 2"]:
    """Ends of the interval, in standard errors of a normal distribution."""
    return np.sqrt(units / (units - 1)) * student.ppf([0.025, 0.975], units - 1)


@cache
def _least_of_all(units: int) -> float:
    """Lower end of the exact binomial interval of nothing but hits in so many trials."""
    return float(beta.ppf(0.025, units, 1))


@cache
def _most_of_none(units: int) -> float:
    """Upper end of the exact binomial interval of no hit in so many trials."""
    return float(beta.ppf(0.975, 1, units))


def absolute(signed: Estimate) -> Estimate:
    """The estimate of |x| from that of x: an interval around zero starts at zero."""
    if signed.value is None or signed.low is None or signed.high is None:
        return Estimate(None if signed.value is None else abs(signed.value))
    ends = sorted((abs(signed.low), abs(signed.high)))
    low = 0.0 if signed.low <= 0 <= signed.high else ends[0]
    return Estimate(abs(signed.value), low, ends[1])


def share(
    bootstrap: ClusterBootstrap, hits: Float[ndarray, " units"], counts: Float[ndarray, " units"]
) -> Estimate:
    """Share of hits among all items, which come in units of `counts` items.

    When all are hits, or none, a bootstrap has no width. Then the interval is the exact binomial
    one (Clopper and Pearson 1934) with the units as trials: 20 of 20 is [0.83, 1], not [1, 1].
    """
    total, units = hits.sum(), bootstrap.units
    if units and total == counts.sum():
        return Estimate(1.0, _least_of_all(units), 1.0)
    if units and total == 0:
        return Estimate(0.0, 0.0, _most_of_none(units))
    return bootstrap.estimate_additive(ratio_of_sums, hits, counts)


def change_of_share(
    bootstrap: ClusterBootstrap,
    before: Float[ndarray, " units"],
    after: Float[ndarray, " units"],
    counts: Float[ndarray, " units"],
) -> Estimate:
    """After - before share of hits among the same items.

    When no unit changed, a bootstrap has no width. Then as many as the exact binomial interval of
    none in so many units allows may have changed, either way, between 0 and 1.
    """
    if bootstrap.units and (before == after).all():
        reach = _most_of_none(bootstrap.units)
        hits = float(before.sum() / counts.sum())
        return Estimate(0.0, 0.0 - min(reach, hits), min(reach, 1 - hits))
    return bootstrap.estimate_additive(ratio_of_sums, after - before, counts)


def mean(values: Float[ndarray, "... units"]) -> Float[ndarray, "..."]:
    return values.mean(axis=-1)


def ratio_of_sums(
    numerator: Float[ndarray, "... units"], denominator: Float[ndarray, "... units"]
) -> Float[ndarray, "..."]:
    return numerator.sum(axis=-1) / denominator.sum(axis=-1)
