"""Harm that an average hides: items that steering moved the wrong way."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.statistics.bootstrap import TermBootstrap, share
from evenkeel.statistics.estimate import Estimate
from evenkeel.statistics.terms import Terms

MOVED = 1e-3
"""Nats; less than this is rounding of the forward pass and no move."""


def harm_counts(
    baseline: Float[ndarray, " prompts"],
    steered: Float[ndarray, " prompts"],
    terms: Terms,
    bootstrap: TermBootstrap,
) -> dict[str, Estimate]:
    """Shares of prompts that steering took away from parity, with intervals over terms.

    Args:
        baseline: log-odds of the stereotypical prompts, unsteered, in nats.
        steered: of the same prompts, steered.
        terms: the prompts' terms.
        bootstrap: over these terms.

    Returns:
        moved_away_share: |log-odds| grew; crossed_away_share: it grew, and on the other side, so
        that a lean one way became a stronger lean the other way.
    """
    away = np.abs(steered) > np.abs(baseline) + MOVED
    crossed = away & (np.sign(steered) != np.sign(baseline))
    return {
        name: share(bootstrap, terms.sum(items.astype(float)), terms.counts)
        for name, items in (("moved_away_share", away), ("crossed_away_share", crossed))
    }
