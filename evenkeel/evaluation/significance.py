"""Tests of what steering did, and what the methods compared owe to being many."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.stats import binomtest, permutation_test

from evenkeel.evaluation.bias import occupation_spread


@dataclass(frozen=True)
class ChangedChoices:
    """Choices that were right before steering or after it, and McNemar's exact test of the two."""

    lost: int
    """Right before, wrong after."""
    won: int
    p: float
    """Two-sided; each choice counts as one trial, those of one term too."""

    def as_json(self) -> dict[str, float]:
        return {**asdict(self), "p": float(f"{self.p:.6g}")}


def mcnemar(before: Bool[ndarray, " choices"], after: Bool[ndarray, " choices"]) -> ChangedChoices:
    """McNemar's exact test: are losses and gains of right choices equally likely?

    Args:
        before: whether each choice was right, unsteered.
        after: the same choices, steered.
    """
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    changed = lost + won
    return ChangedChoices(lost, won, binomtest(lost, changed).pvalue if changed else 1.0)


def spread_change(
    baseline: Float[ndarray, " terms"],
    steered: Float[ndarray, " terms"],
    resamples: int,
    seed: int,
) -> float | None:
    """p of a permutation test that steering left the occupation spread as it was, two-sided.

    Were it so, a term's two log-odds, each taken from its model's mean, could as well be exchanged;
    the statistic is the logarithm of the ratio of the spreads. All exchanges are tried where they
    are fewer than `resamples`. None where a spread is zero or unknown.
    """
    columns = [odds - odds.mean() for odds in (baseline, steered)]
    if not all(float(occupation_spread(column)) > 0 for column in columns):
        return None

    def log_ratio(x: ndarray, y: ndarray, axis: int) -> ndarray:
        assert axis == -1
        return np.log(occupation_spread(x) / occupation_spread(y))

    found = permutation_test(
        columns,
        log_ratio,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        axis=-1,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """p adjusted for how many were tested (Holm 1979): the chance of one false find among all.

    Unknown ones stay unknown and do not count.
    """
    known = sorted((p, name) for name, p in p_values.items() if p is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    largest = 0.0
    for place, (p, name) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - place)))
        adjusted[name] = largest
    return adjusted
