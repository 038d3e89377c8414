"""Tests are exact where they can be, hold their level, and find what is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.evaluation.significance import holm, mcnemar, spread_change


@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [(0, 0, 1.0), (0, 5, 2 / 2**5), (6, 0, 2 / 2**6), (4, 1, 2 * 6 / 2**5), (3, 3, 1.0)],
)
def test_mcnemar_counts_the_ways(lost: int, won: int, p: float) -> None:
    """Of n changed choices, each as likely lost as won, at least as many fell on one side."""
    before = np.array([True] * lost + [False] * won + [True, False] * 3)
    after = np.array([False] * lost + [True] * won + [True, False] * 3)
    found = mcnemar(before, after)
    assert (found.lost, found.won) == (lost, won)
    assert found.p == pytest.approx(p)


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


def test_a_lowered_spread_is_found_and_a_mere_shift_is_not() -> None:
    odds = np.random.default_rng(0).normal(0, 2, 20)
    noise = np.random.default_rng(1).normal(0, 0.1, 20)
    lowered = spread_change(odds, 0.3 * odds + noise, 1000, seed=0)
    shifted = spread_change(odds, odds + 5 + noise, 1000, seed=0)
    assert lowered is not None
    assert lowered < 0.01
    assert shifted is not None
    assert shifted > 0.1
    assert spread_change(odds, np.ones(20), 1000, seed=0) is None


def test_few_terms_are_exchanged_exactly() -> None:
    """Three terms have eight exchanges; the observed one and its mirror image are extreme."""
    odds = np.array([-3.0, 0.5, 2.5])
    assert spread_change(odds, odds / 10, 1000, seed=0) == pytest.approx(2 / 8)


def test_the_test_of_the_spread_holds_its_level() -> None:
    """Of 200 null experiments about 5 % are significant at 5 %."""
    significant = 0
    for experiment in range(200):
        common, first, second = np.random.default_rng(experiment).normal(size=(3, 20))
        p = spread_change(common + first, common + second, 199, experiment)
        assert p is not None
        significant += p <= 0.05
    assert 3 <= significant <= 18
