"""Intervals hold the truth about as often as they say, and say nothing where nothing is known."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.metrics.bias import bias_reduction, item_spread
from evenkeel.statistics.bootstrap import (
    ClusterBootstrap,
    absolute,
    change_of_share,
    mean,
    ratio_of_sums,
    share,
)
from evenkeel.statistics.estimate import Estimate

from .scores import two_groups


def test_resamples_are_paired() -> None:
    """What steering scales exactly has no spread over resamples, however much items differ."""
    before = two_groups(np.random.default_rng(0).normal(size=20))
    found = ClusterBootstrap(20, 500, seed=0).estimate(bias_reduction, before, 0.3 * before)
    assert found.value == pytest.approx(0.7)
    assert found.low == pytest.approx(0.7)
    assert found.high == pytest.approx(0.7)


def test_agrees_with_a_loop_over_resamples() -> None:
    """Symmetric data and many units: the corrections vanish and the percentile interval is left."""
    values = np.linspace(-1, 1, 400)
    rng = np.random.default_rng(7)
    loop = [np.mean(rng.choice(values, size=400)) for _ in range(4000)]
    found = ClusterBootstrap(400, 4000, seed=1).estimate(mean, values)
    assert [found.low, found.high] == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=0.01)


def test_additive_statistics_may_be_handed_sums() -> None:
    rng = np.random.default_rng(2)
    hits, counts = rng.poisson(3, 40).astype(float), rng.poisson(9, 40) + 1.0
    bootstrap = ClusterBootstrap(40, 300, seed=4)
    one, two = (
        estimate(ratio_of_sums, hits, counts)
        for estimate in (bootstrap.estimate, bootstrap.estimate_additive)
    )
    assert [one.value, one.low, one.high] == pytest.approx([two.value, two.low, two.high])


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(3).normal(size=9)
    one, two = (ClusterBootstrap(9, 200, seed=5).estimate(mean, values) for _ in range(2))
    assert one == two
    assert one != ClusterBootstrap(9, 200, seed=6).estimate(mean, values)


@given(
    st.lists(st.floats(-50, 50), min_size=0, max_size=12),
    st.lists(st.floats(-50, 50), min_size=0, max_size=12),
)
def test_any_values_give_json(first: list[float], second: list[float]) -> None:
    units = min(len(first), len(second))
    bootstrap = ClusterBootstrap(units, 100, seed=0)
    columns = np.array(first[:units]), np.array(second[:units])
    scores = tuple(map(two_groups, columns))
    for statistic, arguments in (
        (item_spread, scores[:1]),
        (bias_reduction, scores),
        (ratio_of_sums, columns),
    ):
        named = bootstrap.estimate(statistic, *arguments).columns("x")
        json.dumps(named, allow_nan=False)
        assert set(named) == {"x", "x_ci95"}


def test_unknown_is_none() -> None:
    bootstrap = ClusterBootstrap(4, 100, seed=0)
    flat = two_groups(np.ones(4))
    assert bootstrap.estimate(bias_reduction, flat, flat) == Estimate(None)
    assert ClusterBootstrap(0, 100, 0).estimate(mean, np.empty(0)) == Estimate(None)
    assert ClusterBootstrap(1, 100, 0).estimate(mean, np.ones(1)) == Estimate(1.0)


def test_an_interval_around_zero_starts_at_zero_after_the_absolute() -> None:
    assert absolute(Estimate(-0.2, -0.5, 0.1)) == Estimate(0.2, 0.0, 0.5)
    assert absolute(Estimate(-0.2, -0.5, -0.1)) == Estimate(0.2, 0.1, 0.5)
    assert absolute(Estimate(None)) == Estimate(None)


def test_no_change_is_not_certainty() -> None:
    three, two = np.full(20, 3.0), np.full(20, 2.0)
    bootstrap = ClusterBootstrap(20, 100, 0)
    reach = 1 - 0.025 ** (1 / 20)
    unmoved = change_of_share(bootstrap, two, two, three)
    assert (unmoved.value, unmoved.low, unmoved.high) == pytest.approx((0, -reach, reach))
    perfect = change_of_share(bootstrap, three, three, three)
    assert (perfect.value, perfect.low, perfect.high) == pytest.approx((0, -reach, 0))
    lost = np.where(np.arange(20) < 5, two, three)
    moved = change_of_share(bootstrap, three, lost, three)
    assert moved.value == pytest.approx(-5 / 60)
    assert moved.high is not None
    assert moved.high < 0


def test_all_right_is_not_certainty() -> None:
    ones = share(ClusterBootstrap(20, 100, 0), np.full(20, 3.0), np.full(20, 3.0))
    assert ones.value == 1
    assert ones.low == pytest.approx(0.025 ** (1 / 20))
    none = share(ClusterBootstrap(20, 100, 0), np.zeros(20), np.full(20, 3.0))
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 20))
    some = share(ClusterBootstrap(3, 100, 0), np.array([1.0, 2, 0]), np.array([1.0, 2, 3]))
    assert some.value == pytest.approx(0.5)
