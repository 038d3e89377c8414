"""Metrics of bias against the standard library, and what must hold of them by definition."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.datasets.records import Prompt
from evenkeel.metrics import bias

ODDS = st.lists(st.floats(-20, 20), min_size=3, max_size=20)


def two(odds: list[float] | np.ndarray) -> np.ndarray:
    """Scores of two groups whose log-odds are given."""
    odds = np.asarray(odds, dtype=float)
    return np.stack([odds / 2, -odds / 2], axis=-1)


def scores(seed: int, *shape: int) -> np.ndarray:
    return bias.centred(np.random.default_rng(seed).normal(size=shape))


@given(ODDS)
def test_of_two_groups_the_spread_is_the_standard_deviation_of_the_log_odds(
    odds: list[float],
) -> None:
    assert bias.item_spread(two(odds)) == pytest.approx(statistics.stdev(odds), abs=1e-12)


@given(ODDS, st.floats(-5, 5))
def test_of_two_groups_the_mean_log_odds_are_theirs(odds: list[float], shift: float) -> None:
    moved = bias.mean_log_odds_change(two(odds), two(np.array(odds) + shift))
    expected = abs(np.mean(odds) + shift) - abs(np.mean(odds))
    assert moved == pytest.approx(expected, abs=1e-6)


def test_the_old_figures_of_two_groups_come_out_unchanged() -> None:
    """Log-odds of an organism's test occupations, steered and not, and the metrics of the version
    that knew two groups only."""
    before = np.array([2.1, -1.7, 0.4, -0.9, 3.0, -2.2, 0.1, 1.3])
    after = np.array([0.4, -0.2, 0.1, -0.3, 0.6, -0.1, 0.2, 0.3])
    logits = np.array([1.9, -1.5, 0.5, -1.0, 2.8, -2.5, 0.0, 1.2])
    assert bias.item_spread(two(before)) == pytest.approx(before.std(ddof=1), abs=1e-9)
    assert bias.bias_reduction(two(before), two(after)) == pytest.approx(
        1 - after.std(ddof=1) / before.std(ddof=1), abs=1e-9
    )
    assert bias.mean_log_odds(two(before)) == pytest.approx(abs(before.mean()), abs=1e-9)
    line = statistics.linear_regression(logits, before)
    assert bias.slope(two(logits), two(before)) == pytest.approx(line.slope, abs=1e-9)
    r = statistics.correlation(logits, before)
    assert bias.correlation(two(logits), two(before)) == pytest.approx(r, abs=1e-9)


def test_sizes_are_root_mean_squares_over_all_pairs_of_groups() -> None:
    table = scores(0, 9, 4)
    deviations = table - table.mean(axis=0)
    pairs = [deviations[:, i] - deviations[:, j] for i in range(4) for j in range(i)]
    expected = math.sqrt(np.mean([(pair**2).sum() / 8 for pair in pairs]))
    assert bias.item_spread(table) == pytest.approx(expected)


@given(st.integers(0, 99), st.integers(2, 5), st.floats(-3, 3))
def test_scaling_all_scores_reduces_by_the_scale(seed: int, groups: int, scale: float) -> None:
    before = scores(seed, 6, groups)
    shift = scores(seed + 1, groups)
    assert bias.bias_reduction(before, scale * before + shift) == pytest.approx(1 - abs(scale))


@given(st.integers(0, 99), st.integers(2, 5))
def test_the_order_of_the_groups_does_not_matter(seed: int, groups: int) -> None:
    one, other = scores(seed, 7, groups), scores(seed + 1, 7, groups)
    order = np.random.default_rng(seed).permutation(groups)
    for metric in (bias.bias_reduction, bias.slope, bias.correlation, bias.mean_log_odds_change):
        assert metric(one[:, order], other[:, order]) == pytest.approx(metric(one, other))
    held = np.arange(7) % groups
    relabelled = np.argsort(order)[held]
    assert bias.stereotype_gap(one[:, order], relabelled) == pytest.approx(
        bias.stereotype_gap(one, held)
    )


def test_the_gap_of_two_groups_is_the_difference_of_their_means() -> None:
    odds = np.array([1.0, 2.0, 3.0, -1.0, 0.5])
    held = np.array([0, 0, 0, 1, 1])
    assert bias.stereotype_gap(two(odds), held) == pytest.approx(2.0 - (-0.25))
    assert bias.stereotype_gap(two(odds + 7), held) == pytest.approx(2.25), "what all share cancels"
    assert math.isnan(bias.stereotype_gap(two(odds), np.zeros(5, int)))


def test_the_gap_of_four_groups_is_each_against_the_others_doubled() -> None:
    table = scores(3, 8, 4)
    held = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    against = [
        np.mean([table[i, g] - np.delete(table[i], g).mean() for i in np.flatnonzero(held == g)])
        for g in range(4)
    ]
    assert bias.stereotype_gap(table, held) == pytest.approx(2 * np.mean(against))


def test_margins_are_against_the_likeliest_wrong_group() -> None:
    table = np.log(np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]]))
    found = bias.margins(bias.centred(table), np.array([0, 2]))
    assert found == pytest.approx([math.log(0.5 / 0.3), math.log(0.3 / 0.5)])


def test_nothing_to_reduce_is_undefined() -> None:
    same = two(np.ones(4))
    assert math.isnan(bias.bias_reduction(same, two(np.arange(4))))
    assert math.isnan(bias.item_spread(two(np.ones(1))))
    assert math.isnan(bias.margin_ratio(np.array([-1.0, -2.0]), np.ones(2)))
    assert math.isnan(bias.correlation(two(np.arange(4)), same))
    assert math.isnan(bias.slope(same, two(np.arange(4))))


def test_every_metric_takes_all_resamples_at_once() -> None:
    one, other = scores(0, 7, 5, 3), scores(1, 7, 5, 3)
    for metric in (bias.bias_reduction, bias.slope, bias.correlation, bias.mean_log_odds_change):
        rows = [metric(a, b) for a, b in zip(one, other, strict=True)]
        np.testing.assert_allclose(metric(one, other), rows)
    held = np.tile(np.array([0, 1, 2, 0, 1]), (7, 1))
    rows = [bias.stereotype_gap(a, h) for a, h in zip(one, held, strict=True)]
    np.testing.assert_allclose(bias.stereotype_gap(one, held), rows)


def test_no_bias_is_parity_or_what_items_have_in_common() -> None:
    def prompt(item: str, template: str, lead_in: str, *, parity: bool) -> Prompt:
        return Prompt(
            id="", axis="age", kind="stereotypical", template=template, item=item, split="test",
            lead_in=lead_in, text="", parity=parity,
            continuations={"old": (" old",), "young": (" young",)},
        )  # fmt: skip

    asked = [("a", "x", ""), ("b", "x", ""), ("a", "y", ""), ("a", "x", "Well. ")]
    scores = bias.centred(np.array([[1.0, -1.0], [3.0, -3.0], [0.5, -0.5], [7.0, -7.0]]))
    alike = bias.unbiased(scores, [prompt(*one, parity=True) for one in asked])
    assert (alike == 0).all()
    own = bias.unbiased(scores, [prompt(*one, parity=False) for one in asked])
    assert own[:, 0] == pytest.approx([2.0, 2.0, 0.5, 7.0])
