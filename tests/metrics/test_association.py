"""Whether there is a bias at all: exact on what can be computed by hand, calibrated by chance."""

from itertools import permutations

import numpy as np
import pytest

from evenkeel.metrics.association import association, gap_association

REPORTED = np.linspace(-3, 3, 20)


def two(odds: np.ndarray) -> np.ndarray:
    """Scores of two groups whose log-odds are given."""
    return np.stack([odds / 2, -odds / 2], axis=-1)


def test_log_odds_that_follow_the_shares_are_found_whatever_their_size_and_sign() -> None:
    for factor in (0.01, 1.0, -2.0):
        result = association(two(REPORTED), two(factor * REPORTED), permutations=999, seed=0)
        assert result is not None
        assert result.value == pytest.approx(np.sign(factor))
        assert result.found(0.01)


def test_p_is_the_share_of_pairings_that_correlate_as_strongly() -> None:
    reported = np.array([-2.0, -1.0, 0.5, 1.0, 3.0])
    odds = np.array([0.3, -0.2, 0.1, 0.9, 0.4])
    observed = np.corrcoef(reported, odds)[0, 1]
    every = np.array([np.corrcoef(reported, np.array(p))[0, 1] for p in permutations(odds)])
    tails = np.mean(every >= observed - 1e-12), np.mean(every <= observed + 1e-12)
    result = association(two(reported), two(odds), permutations=9999, seed=0)
    assert result is not None
    assert result.p_value == pytest.approx(2 * min(tails))


def test_chance_is_called_a_bias_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((400, len(REPORTED)))
    tested = [association(two(REPORTED), two(odds), 199, seed) for seed, odds in enumerate(drawn)]
    found = [test is not None and test.found(0.05) for test in tested]
    assert 0.02 < np.mean(found) < 0.085  # four standard errors around 0.05


@pytest.mark.parametrize(
    ("reported", "odds"),
    [(REPORTED[:4], REPORTED[:4]), (REPORTED, np.zeros(20)), (np.zeros(20), REPORTED)],
)
def test_too_little_to_test_is_unknown(reported: np.ndarray, odds: np.ndarray) -> None:
    assert association(two(reported), two(odds), 99, seed=0) is None


def test_items_that_go_to_whom_they_are_held_against_are_found() -> None:
    rng = np.random.default_rng(0)
    held = np.arange(24) % 4
    noise = rng.normal(size=(24, 4))
    result = gap_association(held, noise + 2 * np.eye(4)[held], 999, seed=0)
    assert result is not None
    assert result.value > 0
    assert result.found(0.01)
    none = gap_association(held, noise, 999, seed=0)
    assert none is not None
    assert not none.found(0.01)
    assert gap_association(np.zeros(24, int), noise, 99, seed=0) is None


def test_chance_is_no_gap_as_often_as_the_level_says() -> None:
    held = np.arange(20) % 2
    drawn = np.random.default_rng(1).normal(size=(300, 20))
    tested = [gap_association(held, two(odds), 199, seed) for seed, odds in enumerate(drawn)]
    found = [test is not None and test.found(0.05) for test in tested]
    assert 0.012 < np.mean(found) < 0.1
