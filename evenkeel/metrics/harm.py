"""Harm that an average hides: prompts that steering moved the wrong way."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.metrics.bias import pairwise_square
from evenkeel.statistics.bootstrap import ClusterBootstrap, share
from evenkeel.statistics.clusters import Clusters
from evenkeel.statistics.estimate import Estimate

MOVED = 1e-3
"""Nats; less than this is rounding of the forward pass and no move."""


def harm_counts(
    baseline: Float[ndarray, "prompts groups"],
    steered: Float[ndarray, "prompts groups"],
    items: Clusters,
    bootstrap: ClusterBootstrap,
) -> dict[str, Estimate]:
    """Shares of prompts that steering took away from no bias, with intervals over items.

    Args:
        baseline: scores of the stereotypical prompts less what no bias is, unsteered, in nats.
        steered: of the same prompts, steered.
        items: the prompts' items.
        bootstrap: over these items.

    Returns:
        moved_away_share: the size of the log-odds grew; crossed_away_share: it grew, and another
        group leads than before.
    """
    before, after = (np.sqrt(pairwise_square(scores)) for scores in (baseline, steered))
    away = after > before + MOVED
    crossed = away & (baseline.argmax(axis=-1) != steered.argmax(axis=-1))
    return {
        name: share(bootstrap, items.sum(moved.astype(float)), items.counts)
        for name, moved in (("moved_away_share", away), ("crossed_away_share", crossed))
    }
