"""Does a model follow the reference rates, or the lexicon, at all: is there a bias to find?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.stats import permutation_test

from evenkeel.metrics.bias import correlation, item_spread, stereotype_gap

MIN_ITEMS = 5


@dataclass(frozen=True)
class Association:
    """A measure of association over items, and how rare it is by chance."""

    value: float
    """Correlation with the reference, or stereotype gap in nats."""
    p_value: float
    """Two-sided, from permutations: twice the share of pairings that reach as far that way."""

    def found(self, level: float) -> bool:
        """Whether chance is ruled out at this level."""
        return self.p_value < level


def association(
    reference: Float[ndarray, "items groups"],
    scores: Float[ndarray, "items groups"],
    permutations: int,
    seed: int,
) -> Association | None:
    """Test whether scores go with the reference's, by permuting the items.

    A spread of scores alone is no evidence: every model tells words apart a little. Under the null
    hypothesis, any other pairing of items with rates would have been as likely.

    Args:
        reference: centred log-rates.
        scores: what the model says, in nats.
        permutations: random pairings; all are tried where there are fewer.
        seed: of the pairings.

    Returns:
        None where it cannot be tested: fewer than five items, or no spread in either.
    """
    if len(scores) < MIN_ITEMS or not (item_spread(reference) > 0 and item_spread(scores) > 0):
        return None
    return _permuted(
        lambda order: correlation(reference[order], scores), len(scores), permutations, seed
    )


def gap_association(
    held_against: Int[ndarray, " items"],
    scores: Float[ndarray, "items groups"],
    permutations: int,
    seed: int,
) -> Association | None:
    """Test whether items go to the group that they are held against, by permuting the items.

    Args:
        held_against: the group's index; all groups occur.
        scores: what the model says, in nats.
        permutations: random pairings; all are tried where there are fewer.
        seed: of the pairings.

    Returns:
        None where it cannot be tested: fewer than five items, no spread, or a group without items.
    """
    groups = set(range(scores.shape[-1]))
    if len(scores) < MIN_ITEMS or set(held_against) != groups or not item_spread(scores) > 0:
        return None
    return _permuted(
        lambda order: stereotype_gap(scores, held_against[order]), len(scores), permutations, seed
    )


def _permuted(
    statistic: Callable[[ndarray], ndarray], items: int, permutations: int, seed: int
) -> Association:
    def permuted(order: ndarray, axis: int) -> ndarray:
        assert axis == -1
        return statistic(order)

    result = permutation_test(
        (np.arange(items),),
        permuted,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=permutations,
        axis=-1,
        rng=np.random.default_rng(seed),
    )
    return Association(float(result.statistic), float(result.pvalue))
