"""Tests are exact where they can be, hold their level, and find what is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from evenkeel.metrics.bias import item_spread
from evenkeel.statistics.significance import changed_choices, holm, scale_change, sign_flips

from .scores import two_groups


@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [(0, 0, 1.0), (0, 5, 2 / 2**5), (6, 0, 2 / 2**6), (4, 1, 2 * 6 / 2**5), (3, 3, 1.0)],
)
def test_choices_of_a_term_each_are_counted_as_by_mcnemar(lost: int, won: int, p: float) -> None:
    """Of n changed choices, each as likely lost as won, at least as many fell on one side."""
    before = np.array([True] * lost + [False] * won + [True, False] * 3)
    after = np.array([False] * lost + [True] * won + [True, False] * 3)
    found = changed_choices(before, after, after.astype(float) - before)
    assert (found.lost, found.won) == (lost, won)
    assert found.p == pytest.approx(p)


@given(st.lists(st.integers(-6, 6), min_size=2, max_size=7))
def test_signs_of_terms_are_flipped_in_all_ways(gains: list[int]) -> None:
    """scipy goes through them one by one."""
    terms = np.array(gains, dtype=float)
    before = np.repeat(terms < 0, np.abs(gains))
    plain = permutation_test((terms,), lambda x, axis: x.sum(axis=axis),
                             permutation_type="samples", vectorized=True)  # fmt: skip
    assert changed_choices(before, ~before, terms).p == pytest.approx(plain.pvalue)


def test_the_test_of_choices_holds_its_level_where_terms_move_as_one() -> None:
    """24 terms of six choices; steering moves each term one way or the other, as a coin falls."""
    found = {"by term": 0, "McNemar's": 0}
    for experiment in range(400):
        rng = np.random.default_rng(experiment)
        before = rng.random((24, 6)) < 0.5
        moved = rng.random((24, 6)) < rng.beta(1, 1, (24, 1))
        after = np.where(moved, rng.random((24, 1)) < 0.5, before)
        terms = changed_choices(before.ravel(), after.ravel(), (after.sum(1) - before.sum(1)) * 1.0)
        found["by term"] += terms.p <= 0.05
        found["McNemar's"] += binomtest(terms.lost, terms.lost + terms.won).pvalue <= 0.05
    assert 8 <= found["by term"] <= 28  # 5 % of 400 or, since sums are whole numbers, less
    assert found["McNemar's"] > 60


def test_choices_that_many_terms_lose_are_found() -> None:
    before = np.ones((24, 6), dtype=bool)
    after = np.random.default_rng(0).random((24, 6)) < 0.8
    found = changed_choices(before.ravel(), after.ravel(), (after.sum(1) - 6.0))
    assert found.p < 1e-4


@given(st.lists(st.none() | st.floats(0, 1), max_size=8), st.floats(0.001, 1))
def test_holm_rejects_step_by_step(p_values: list[float | None], level: float) -> None:
    """Adjusted p under the level are those that Holm's steps reject: the smallest p at level / n,
    the next at level / (n - 1), until one is not."""
    found = holm({str(place): p for place, p in enumerate(p_values)})
    left = sorted((p, str(place)) for place, p in enumerate(p_values) if p is not None)
    rejected = set()
    while left and left[0][0] * len(left) < level:
        rejected.add(left.pop(0)[1])
    assert {name for name, p in found.items() if p is not None and p < level} == rejected
    assert {name for name, p in found.items() if p is None} == {
        str(place) for place, p in enumerate(p_values) if p is None
    }


def spread_change(baseline: np.ndarray, steered: np.ndarray, seed: int) -> float | None:
    return scale_change(item_spread, two_groups(baseline), two_groups(steered), 1000, seed)


def test_a_lowered_spread_is_found_and_a_mere_shift_is_not() -> None:
    odds = np.random.default_rng(0).normal(0, 2, 20)
    noise = np.random.default_rng(1).normal(0, 0.1, 20)
    lowered = spread_change(odds, 0.3 * odds + noise, seed=0)
    shifted = spread_change(odds, odds + 5 + noise, seed=0)
    assert lowered is not None
    assert lowered < 0.01
    assert shifted is not None
    assert shifted > 0.1
    assert spread_change(odds, np.ones(20), seed=0) is None


def test_a_lowered_spread_of_four_groups_is_found() -> None:
    scores = np.random.default_rng(2).normal(0, 2, (20, 4))
    scores -= scores.mean(axis=-1, keepdims=True)
    lowered = scale_change(item_spread, scores, 0.4 * scores, 1000, seed=0)
    assert lowered is not None
    assert lowered < 0.01
    shifted = scale_change(item_spread, scores, scores + np.array([3, -1, -1, -1]), 1000, seed=0)
    assert shifted == 1


def test_few_items_are_exchanged_exactly() -> None:
    """Three items have eight exchanges; the observed one and its mirror image are extreme."""
    odds = np.array([-3.0, 0.5, 2.5])
    assert spread_change(odds, odds / 10, seed=0) == pytest.approx(2 / 8)


def test_the_test_of_the_spread_holds_its_level() -> None:
    """Of 200 null experiments about 5 % are significant at 5 %."""
    significant = 0
    for experiment in range(200):
        common, first, second = np.random.default_rng(experiment).normal(size=(3, 20))
        scores = (two_groups(common + each) for each in (first, second))
        p = scale_change(item_spread, *scores, 199, experiment)
        assert p is not None
        significant += p <= 0.05
    assert 3 <= significant <= 18


def test_one_test_of_sign_flips_is_scipys() -> None:
    differences = np.random.default_rng(0).normal(0.4, 1, (8, 1))
    plain = permutation_test((differences[:, 0],), lambda x, axis: x.sum(axis=axis),
                             permutation_type="samples", vectorized=True)  # fmt: skip
    (found,) = sign_flips(differences, 20_000, seed=0)
    assert found == pytest.approx(plain.pvalue, abs=0.015)


def test_sign_flips_of_many_tests_keep_one_level_for_all() -> None:
    """A false find among 20 tests in 5 % of experiments; each test alone finds as many."""
    falsely, alone = 0, 0
    for experiment in range(300):
        noise = np.random.default_rng(experiment).normal(size=(12, 20))
        falsely += sign_flips(noise, 400, experiment).min() <= 0.05
        alone += sign_flips(noise[:, :1], 400, experiment).min() <= 0.05
    assert 5 <= falsely <= 28
    assert 5 <= alone <= 28


def test_sign_flips_do_not_ask_for_units_or_scale() -> None:
    differences = np.random.default_rng(0).normal(0.5, 1, (10, 3))
    differences[:, 2] = 0
    found = sign_flips(differences, 500, seed=0)
    assert found[2] == 1
    assert sign_flips(differences * [1, 1e6, 1], 500, seed=0) == pytest.approx(found)
    assert (found >= [sign_flips(differences[:, [n]], 500, seed=0)[0] for n in range(3)]).all()
