"""A 95 % interval holds the truth in 93 to 97 % of simulated experiments, measure by measure.

The terms of an experiment are 20, as in a split, drawn from the occupations themselves or from a
normal population. That of 500 experiments 93 to 97 % come out right is what a true 95 % gives in
96 of 100 such simulations; the seeds are fixed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evenkeel.axes.occupations import PERCENT_WOMEN
from evenkeel.metrics import bias
from evenkeel.metrics.fluency import perplexity_ratio
from evenkeel.metrics.measures import spread_estimate
from evenkeel.statistics.bootstrap import ClusterBootstrap, mean, share
from evenkeel.statistics.estimate import Estimate
from evenkeel.steering.continuations import text_measures

EXPERIMENTS, UNITS, RESAMPLES = 500, 20, 500
SHARES = np.array(list(PERCENT_WOMEN.values())) / 100
POPULATION = np.log(SHARES / (1 - SHARES))
VARIANCE = POPULATION.var()
TERMS = ClusterBootstrap(UNITS, RESAMPLES, seed=0)
SAMPLES, CALM, STUCK = 3, "she slept", "no no no no no"

Draw = Callable[[np.random.Generator], Any]


def coverage(estimate: Callable[..., Estimate], draw: Draw, truth: float) -> float:
    held = 0
    for experiment in range(EXPERIMENTS):
        found = estimate(*draw(np.random.default_rng(experiment)))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    return held / EXPERIMENTS


def two_groups(log_odds: np.ndarray) -> np.ndarray:
    """Scores of items by group: half the log-odds and its negative."""
    return np.stack([log_odds / 2, -log_odds / 2], axis=-1)


def occupations(rng: np.random.Generator) -> np.ndarray:
    return two_groups(rng.choice(POPULATION, UNITS))


def steered(rng: np.random.Generator) -> Any:
    """Planted scores, and those of a model that keeps 0.3 of them, with noise of its own."""
    planted = occupations(rng)
    return planted, 0.3 * planted + two_groups(rng.normal(0, 0.3, UNITS))


def continued(rng: np.random.Generator) -> Any:
    """Three texts after each of 20 prompts, which differ in how often a text collapses."""
    collapsed = rng.random((UNITS, SAMPLES)) < rng.beta(1, 1, UNITS)[:, None]
    return ([STUCK if each else CALM for each in collapsed.ravel()],)


def degenerate_share(texts: list[str], samples: int = SAMPLES) -> Estimate:
    return text_measures(texts, samples, RESAMPLES, 0)["degenerate_share"]


KEPT = 0.3 * np.sqrt(VARIANCE) / np.sqrt(0.09 * VARIANCE + 0.09)
"""Correlation of the two."""
CASES: dict[str, tuple[Callable[..., Estimate], Draw, float]] = {
    "mean": (lambda x: TERMS.estimate(mean, x), lambda rng: (rng.normal(size=UNITS),), 0.0),
    "spread of normal terms": (
        spread_estimate,
        lambda rng: (two_groups(rng.normal(size=UNITS)),),
        1.0,
    ),
    "spread of occupations": (spread_estimate, lambda rng: (occupations(rng),), VARIANCE**0.5),
    "bias reduction": (
        lambda x, y: TERMS.estimate(bias.bias_reduction, x, y),
        steered,
        1 - np.sqrt(0.09 * VARIANCE + 0.09) / np.sqrt(VARIANCE),
    ),
    "slope": (lambda x, y: TERMS.estimate(bias.slope, x, y), steered, 0.3),
    "correlation": (lambda x, y: TERMS.estimate(bias.correlation, x, y), steered, KEPT),
    "perplexity ratio": (
        lambda loss, more, tokens: TERMS.estimate_additive(perplexity_ratio, loss, more, tokens),
        lambda rng: (loss := rng.gamma(4, 8, UNITS), loss + rng.normal(0.1, 0.4, UNITS) * 10,
                     np.full(UNITS, 10.0)),
        float(np.exp(0.1)),
    ),
    "accuracy": (
        lambda right: share(TERMS, right, np.full(UNITS, 6.0)),
        lambda rng: (rng.binomial(6, rng.beta(4, 1, UNITS)).astype(float),),
        0.8,
    ),
    "degenerate texts": (degenerate_share, continued, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_intervals_hold_the_truth_as_often_as_they_say(case: str) -> None:
    assert 0.93 <= coverage(*CASES[case]) <= 0.97


def test_texts_of_one_prompt_are_no_trials_of_their_own() -> None:
    """Taken for that, as many intervals as this would miss the truth."""
    assert coverage(lambda texts: degenerate_share(texts, samples=1), continued, 0.5) < 0.9


def test_what_scales_exactly_has_a_spread_that_does() -> None:
    terms = occupations(np.random.default_rng(0))
    one, three = spread_estimate(terms), spread_estimate(3 * terms + [1, -1])
    assert one.low is not None
    assert [three.value, three.low, three.high] == pytest.approx(
        [3 * x for x in (one.value, one.low, one.high)]  # type: ignore[operator]
    )


def test_no_spread_has_no_interval() -> None:
    assert spread_estimate(two_groups(np.ones(5))) == Estimate(0.0)
    assert spread_estimate(two_groups(np.ones(1))) == Estimate(None)
