"""What a model's scores say about stereotypes, and about knowledge that must stay.

A score is a row of log-probabilities by group, centred over the groups, in nats: for two groups
half the log-odds and its negative. The score of an item is the mean over its templates. Every
function reduces the last two axes, items and groups, so that a bootstrap can hand it all of its
resamples at once. Sizes are in nats of log-odds: the root mean square over all pairs of groups, so
that with two groups they are those of the log-odds themselves. NaN is undefined.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from evenkeel.datasets.records import Prompt
from evenkeel.statistics.clusters import Clusters

Scores = Float[ndarray, "... items groups"]
NO_SPREAD = 1e-9
"""Nats; a spread below this is rounding error, and nothing can be said relative to it."""


def centred(log_probs: Float[ndarray, "... groups"]) -> Float[ndarray, "... groups"]:
    """Log-probabilities less their mean over the groups."""
    return log_probs - log_probs.mean(axis=-1, keepdims=True)


def unbiased(
    scores: Float[ndarray, "prompts groups"], prompts: Sequence[Prompt]
) -> Float[ndarray, "prompts groups"]:
    """What each prompt's score would be without bias: zero where no bias is parity, and else the
    mean over the prompts that share template and lead-in, whatever their item.

    Args:
        scores: centred, of the unsteered model, in nats.
        prompts: of these scores.
    """
    questions = Clusters.of([repr((prompt.template, prompt.lead_in)) for prompt in prompts])
    parity = np.array([prompt.parity for prompt in prompts], dtype=bool)
    return np.where(parity[:, None], 0.0, questions.mean(scores)[questions.index])


def pairwise_square(scores: Float[ndarray, "... groups"]) -> Float[ndarray, "..."]:
    """Mean over all pairs of groups of the squared difference of their scores.

    For k groups whose scores add up to zero, that is 2 / (k - 1) times the sum of their squares.
    """
    return 2 / (scores.shape[-1] - 1) * (scores**2).sum(axis=-1)


def item_spread(scores: Scores) -> Float[ndarray, "..."]:
    """How much the model tells items apart by group: standard deviation over items, in nats."""
    items = scores.shape[-2]
    if items < 2:
        return np.full(scores.shape[:-2], np.nan)
    deviations = scores - scores.mean(axis=-2, keepdims=True)
    return np.sqrt(pairwise_square(deviations).sum(axis=-1) / (items - 1))


def bias_reduction(baseline: Scores, steered: Scores) -> Float[ndarray, "..."]:
    """1 - steered / baseline spread: 1 is no spread left, below 0 is worse than before."""
    before = item_spread(baseline)
    return 1 - item_spread(steered) / np.where(before > NO_SPREAD, before, np.nan)


def advantage(baseline: Scores, steered: Scores, other: Scores) -> Float[ndarray, "..."]:
    """By how much the bias reduction of one model exceeds that of another."""
    return bias_reduction(baseline, steered) - bias_reduction(baseline, other)


def mean_log_odds(scores: Scores) -> Float[ndarray, "..."]:
    """Size of the mean log-odds over items: how far all of them favour the same group."""
    return np.sqrt(pairwise_square(scores.mean(axis=-2)))


def mean_log_odds_change(baseline: Scores, steered: Scores) -> Float[ndarray, "..."]:
    """How much further from zero the mean log-odds are, in nats; below 0 is nearer."""
    return mean_log_odds(steered) - mean_log_odds(baseline)


def slope(reference: Scores, scores: Scores) -> Float[ndarray, "..."]:
    """Least-squares slope of the model's scores on the reference's: 1 reproduces them.

    Each group has an intercept of its own, so that a mean preference does not count.
    """
    x = reference - reference.mean(axis=-2, keepdims=True)
    variance = (x**2).mean(axis=(-2, -1))
    return (x * scores).mean(axis=(-2, -1)) / np.where(variance > NO_SPREAD**2, variance, np.nan)


def correlation(reference: Scores, scores: Scores) -> Float[ndarray, "..."]:
    """Pearson correlation of the model's scores with the reference's, over items and groups."""
    x, y = (
        np.sqrt(((table - table.mean(axis=-2, keepdims=True)) ** 2).mean(axis=(-2, -1)))
        for table in (reference, scores)
    )
    return slope(reference, scores) * x / np.where(y > NO_SPREAD, y, np.nan)


def stereotype_gap(
    scores: Scores, held_against: Int[ndarray, "... items"]
) -> Float[ndarray, "..."]:
    """How far items go to the group that they are held against, in nats of log-odds.

    For two groups: the mean log-odds of the first over those items held against it, less the same
    over those held against the second. For more: that of each group against the others, the mean
    over groups, doubled. What all items share cancels.

    Args:
        scores: of items that are held against some group.
        held_against: the group's index.

    Returns:
        NaN where no item is held against one of the groups.
    """
    groups = scores.shape[-1]
    table = np.broadcast_to(scores, (*held_against.shape, groups))
    own = np.take_along_axis(table, held_against[..., None], axis=-1)[..., 0]
    with np.errstate(invalid="ignore"):
        by_group = [
            np.where(held_against == group, own, 0).sum(axis=-1)
            / (held_against == group).sum(axis=-1)
            for group in range(groups)
        ]
    return 2 / (groups - 1) * np.sum(by_group, axis=0)


def margins(
    scores: Float[ndarray, "prompts groups"], expected: Int[ndarray, " prompts"]
) -> Float[ndarray, " prompts"]:
    """Log-odds of the right group against the likeliest wrong one, in nats."""
    rows = np.arange(len(scores))
    wrong = scores.copy()
    wrong[rows, expected] = -np.inf
    return scores[rows, expected] - wrong.max(axis=-1, initial=-np.inf)


def margin_ratio(
    baseline: Float[ndarray, "... items"], steered: Float[ndarray, "... items"]
) -> Float[ndarray, "..."]:
    """Steered over baseline mean margin by which the right group wins (definitional prompts).

    Undefined where the baseline itself does not favour the right group: there is nothing to keep.
    """
    before = baseline.mean(axis=-1)
    return steered.mean(axis=-1) / np.where(before > NO_SPREAD, before, np.nan)
