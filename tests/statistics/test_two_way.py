"""An interval over items and templates holds the truth where templates differ."""

import numpy as np
import pytest

from evenkeel.axes import same_strength
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import Prompt
from evenkeel.metrics.bias import bias_reduction
from evenkeel.statistics.bootstrap import ClusterBootstrap, mean
from evenkeel.statistics.two_way import TwoWayBootstrap

from .scores import two_groups

PROMPTS = [
    prompt
    for prompt in make_prompts(["gender"], same_strength(1.0), 0, lead_ins=True)
    if (prompt.split, prompt.kind, prompt.direction)
    == ("test", "stereotypical", "group_given_item")
]
ITEMS = len({p.item for p in PROMPTS})
TEMPLATES = len({p.template for p in PROMPTS})


def two_way(prompts: list[Prompt], resamples: int = 100) -> TwoWayBootstrap | None:
    items, templates = [p.item for p in prompts], [p.template for p in prompts]
    return TwoWayBootstrap.of(items, templates, resamples, seed=0)


def bootstrap(prompts: list[Prompt], resamples: int = 1000) -> TwoWayBootstrap:
    found = two_way(prompts, resamples)
    assert found is not None
    return found


def test_coverage_where_templates_differ() -> None:
    """Each template has its own shift: over items alone, intervals are far too narrow."""
    both_ways, over_items = bootstrap(PROMPTS), ClusterBootstrap(ITEMS, 1000, 0)
    held = np.zeros(2)
    for experiment in range(500):
        rng = np.random.default_rng(experiment)
        shape = (ITEMS, TEMPLATES)
        values = rng.normal(size=(ITEMS, 1)) + rng.normal(size=(1, TEMPLATES))
        values = values + rng.normal(size=shape)
        both = both_ways.interval(mean, values.ravel())
        assert both is not None
        one = over_items.estimate(mean, values.mean(axis=1))
        assert one.low is not None
        assert one.high is not None
        held += [both[0] <= 0 <= both[1], one.low <= 0 <= one.high]
    assert held[0] / 500 >= 0.93
    assert held[1] / 500 < 0.85


def test_pairs_stay_together() -> None:
    scores = two_groups(np.random.default_rng(0).normal(size=len(PROMPTS)))
    found = bootstrap(PROMPTS).interval(bias_reduction, scores, 0.3 * scores)
    assert found == pytest.approx((0.7, 0.7))


def test_the_order_of_prompts_does_not_matter() -> None:
    odds = np.random.default_rng(0).normal(size=len(PROMPTS))
    by_template = sorted(range(len(PROMPTS)), key=lambda i: (PROMPTS[i].template, i))
    shuffled = bootstrap([PROMPTS[i] for i in by_template]).interval(mean, odds[by_template])
    assert shuffled == bootstrap(PROMPTS).interval(mean, odds)


def test_what_is_not_crossed_has_no_such_interval() -> None:
    assert two_way(PROMPTS[1:]) is None
    one_template = [p for p in PROMPTS if p.template == PROMPTS[0].template]
    assert two_way(one_template) is None
    assert two_way([]) is None


def test_an_undefined_statistic_has_no_interval() -> None:
    flat = two_groups(np.ones(len(PROMPTS)))
    assert bootstrap(PROMPTS).interval(bias_reduction, flat, flat) is None
