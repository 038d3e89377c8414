"""Bias measures against the standard library, and what must hold of them by definition."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.metrics import bias
from evenkeel.statistics.clusters import Clusters

ODDS = st.lists(st.floats(-20, 20), min_size=3, max_size=20)


def test_terms_are_averaged_over_their_templates() -> None:
    terms = Clusters.of(["nurse", "cook", "nurse", "cook", "cook"])
    values = np.array([1.0, 2, 3, 4, 9])
    assert terms.names == ("nurse", "cook")
    assert terms.mean(values).tolist() == [2, 5]
    assert terms.counts.tolist() == [2, 3]


@given(ODDS)
def test_spread_is_the_standard_deviation(odds: list[float]) -> None:
    assert bias.occupation_spread(np.array(odds)) == pytest.approx(statistics.stdev(odds))


@given(ODDS, st.floats(-3, 3), st.floats(-5, 5))
def test_scaling_all_log_odds_reduces_by_the_scale(
    odds: list[float], scale: float, shift: float
) -> None:
    before = np.array(odds)
    found = bias.bias_reduction(before, scale * before + shift)
    if statistics.stdev(odds) < 1e-3:
        return
    assert found == pytest.approx(1 - abs(scale), abs=1e-6)


def test_nothing_to_reduce_is_undefined() -> None:
    assert math.isnan(bias.bias_reduction(np.ones(4), np.arange(4.0)))
    assert math.isnan(bias.occupation_spread(np.ones(1)))
    assert math.isnan(bias.margin_ratio(np.array([-1.0, -2.0]), np.ones(2)))
    assert math.isnan(bias.correlation(np.arange(4.0), np.ones(4)))
    assert math.isnan(bias.slope(np.ones(4), np.arange(4.0)))


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=3, max_size=20))
def test_slope_and_correlation_agree_with_the_standard_library(
    pairs: list[tuple[float, float]],
) -> None:
    planted, odds = zip(*pairs, strict=True)
    if statistics.stdev(planted) < 1e-2 or statistics.stdev(odds) < 1e-2:
        return
    x, y = np.array(planted), np.array(odds)
    expected = statistics.linear_regression(planted, odds).slope
    assert bias.slope(x, y) == pytest.approx(expected, abs=1e-8)
    assert bias.correlation(x, y) == pytest.approx(statistics.correlation(planted, odds), abs=1e-8)


def test_every_measure_takes_all_resamples_at_once() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 7, 5)) + 1
    for measure in (bias.bias_reduction, bias.slope, bias.correlation, bias.margin_ratio):
        rows = [measure(a, b) for a, b in zip(one, two, strict=True)]
        np.testing.assert_allclose(measure(one, two), rows)


@given(ODDS, st.floats(-5, 5))
def test_the_lean_shifts_by_as_much_as_its_size_grows(odds: list[float], shift: float) -> None:
    before = np.array(odds)
    found = bias.parity_shift(before, before + shift)
    assert found == pytest.approx(abs(np.mean(odds) + shift) - abs(np.mean(odds)), abs=1e-6)
