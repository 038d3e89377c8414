"""Tests of what steering did, and what the methods compared owe to being many."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.stats import permutation_test


@dataclass(frozen=True)
class ChangedChoices:
    """Choices that were right before steering or after it but not both, and a test of the two."""

    lost: int
    """Right before, wrong after."""
    won: int
    p: float
    """That losses and gains are equally likely, two-sided, with the terms as trials."""

    def as_json(self) -> dict[str, float]:
        return {**asdict(self), "p": float(f"{self.p:.6g}")}


def changed_choices(
    before: Bool[ndarray, " choices"],
    after: Bool[ndarray, " choices"],
    gains: Float[ndarray, " terms"],
) -> ChangedChoices:
    """Are losses and gains of right choices equally likely?

    Choices of one term share what steering did to it, so that McNemar's test, to which each is a
    trial, finds too much. Were there nothing to find, all of a term's changes could as well have
    gone the other way: the signs of whole terms are flipped (Winkler et al. 2014, "Permutation
    inference for the general linear model", with terms as exchangeability blocks). With one choice
    a term this is McNemar's exact test.

    Args:
        before: whether each choice was right, unsteered.
        after: the same choices, steered.
        gains: how many more choices of each term are right, steered.
    """
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    assert round(float(gains.sum())) == won - lost
    return ChangedChoices(lost, won, _flipped_as_far(np.rint(gains).astype(int)))


def _flipped_as_far(gains: Int[ndarray, " terms"]) -> float:
    """Chance of a sum as far from zero as that of the gains, were each sign that of a fair coin.

    Exact: the distribution of the sum is built term by term.
    """
    chances = np.ones(1)
    for size in np.abs(gains[gains != 0]):
        chances = (np.pad(chances, (0, 2 * size)) + np.pad(chances, (2 * size, 0))) / 2
    reach = len(chances) // 2
    as_far = np.abs(np.arange(-reach, reach + 1)) >= abs(gains.sum())
    return float(min(1.0, chances[as_far].sum()))


def lowered(
    before: Float[ndarray, " units"], after: Float[ndarray, " units"], resamples: int, seed: int
) -> float:
    """p of a paired permutation test that a mean did not fall, one-sided.

    Were nothing changed, a unit's two values could as well be exchanged. All exchanges are tried
    where they are fewer than `resamples`.

    Args:
        before: value of each unit, unsteered.
        after: of the same units, steered.
        resamples: random exchanges at most.
        seed: of the exchanges.
    """
    found = permutation_test(
        (after, before),
        lambda one, other, axis: (one - other).mean(axis=axis),
        permutation_type="samples",
        alternative="less",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def sign_flips(
    differences: Float[ndarray, "units tests"], resamples: int, seed: int
) -> Float[ndarray, " tests"]:
    """p that each mean is zero, two-sided, adjusted for all tests at once.

    Were there nothing to find, all differences of a unit could as well have had the other sign. The
    statistic is the sum over the root of the sum of squares; that of a test is compared with the
    largest of all tests under each flip, which keeps the chance of one false find among all
    (Westfall and Young 1993, single-step maxT; Winkler et al. 2014).

    Args:
        differences: of each unit, in each test.
        resamples: random flips of whole units.
        seed: of the flips.
    """
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (resamples, len(differences)))
    size = np.sqrt((differences**2).sum(axis=0))
    scaled = differences / np.where(size > 0, size, 1)
    largest = np.abs(signs @ scaled).max(axis=1, initial=0)
    as_large = largest[:, None] >= np.abs(scaled.sum(axis=0)) - 1e-12
    return (1 + as_large.sum(axis=0)) / (1 + resamples)


def scale_change(
    scale: Callable[[ndarray], ndarray],
    baseline: Float[ndarray, "items groups"],
    steered: Float[ndarray, "items groups"],
    resamples: int,
    seed: int,
) -> float | None:
    """p of a permutation test that a measure of scale is what it was, two-sided.

    Were it so, an item's two rows of scores, each taken from its model's mean, could as well be
    exchanged; the statistic is the logarithm of the ratio of the two scales. All exchanges are
    tried where they are fewer than `resamples`. None where a scale is zero or unknown.

    Args:
        scale: reduces the last two axes, items and groups, to a positive number.
        baseline: scores of each item, unsteered.
        steered: of the same items, steered.
        resamples: random exchanges at most.
        seed: of the exchanges.
    """
    rows = np.stack([scores - scores.mean(axis=0) for scores in (baseline, steered)])
    if not all(float(scale(scores)) > 0 for scores in rows):
        return None
    items = np.arange(rows.shape[1])

    def log_ratio(first: ndarray, second: ndarray, axis: int) -> ndarray:
        assert axis == -1
        first, second = first.astype(int), second.astype(int)
        # Each argument says of every item which model's row stands there.
        return np.log(scale(rows[first, items]) / scale(rows[second, items]))

    found = permutation_test(
        (np.zeros(len(items)), np.ones(len(items))),
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
