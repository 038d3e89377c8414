"""An interval over terms and templates holds the truth where templates differ."""

import numpy as np
import pytest

from evenkeel.axes import same_strength
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import Prompt
from evenkeel.metrics.bias import bias_reduction
from evenkeel.statistics.bootstrap import ClusterBootstrap, mean
from evenkeel.statistics.two_way import TwoWayBootstrap

PROMPTS = [
    prompt
    for prompt in make_prompts(["gender"], same_strength(1.0), 0, lead_ins=True)
    if (prompt.split, prompt.kind, prompt.direction)
    == ("test", "stereotypical", "group_given_item")
]
TERMS = len({p.term for p in PROMPTS})
TEMPLATES = len({p.template for p in PROMPTS})


def bootstrap(prompts: list[Prompt], resamples: int = 1000) -> TwoWayBootstrap:
    found = TwoWayBootstrap.of(prompts, resamples, seed=0)
    assert found is not None
    return found


def test_coverage_where_templates_differ() -> None:
    """Each template has its own shift: over terms alone, intervals are far too narrow."""
    crossed, over_terms = bootstrap(PROMPTS), ClusterBootstrap(TERMS, 1000, 0)
    held = np.zeros(2)
    for experiment in range(500):
        rng = np.random.default_rng(experiment)
        shape = (TERMS, TEMPLATES)
        values = rng.normal(size=(TERMS, 1)) + rng.normal(size=(1, TEMPLATES))
        values = values + rng.normal(size=shape)
        both = crossed.interval(mean, values.ravel())
        assert both is not None
        one = over_terms.estimate(mean, values.mean(axis=1))
        assert one.low is not None
        assert one.high is not None
        held += [both[0] <= 0 <= both[1], one.low <= 0 <= one.high]
    assert held[0] / 500 >= 0.93
    assert held[1] / 500 < 0.85


def test_pairs_stay_together() -> None:
    odds = np.random.default_rng(0).normal(size=len(PROMPTS))
    found = bootstrap(PROMPTS).interval(bias_reduction, odds, 0.3 * odds)
    assert found == pytest.approx((0.7, 0.7))


def test_the_order_of_prompts_does_not_matter() -> None:
    odds = np.random.default_rng(0).normal(size=len(PROMPTS))
    by_template = sorted(range(len(PROMPTS)), key=lambda i: (PROMPTS[i].template, i))
    shuffled = bootstrap([PROMPTS[i] for i in by_template]).interval(mean, odds[by_template])
    assert shuffled == bootstrap(PROMPTS).interval(mean, odds)


def test_what_is_not_crossed_has_no_such_interval() -> None:
    assert TwoWayBootstrap.of(PROMPTS[1:], 100, 0) is None
    one_template = [p for p in PROMPTS if p.template == PROMPTS[0].template]
    assert TwoWayBootstrap.of(one_template, 100, 0) is None
    assert TwoWayBootstrap.of([], 100, 0) is None


def test_an_undefined_statistic_has_no_interval() -> None:
    flat = np.ones(len(PROMPTS))
    assert bootstrap(PROMPTS).interval(bias_reduction, flat, flat) is None
