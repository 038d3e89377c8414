"""Whether there is a bias at all: exact on what can be computed by hand, calibrated by chance."""

from itertools import permutations

import numpy as np
import pytest

from evenkeel.metrics.association import association

REPORTED = np.linspace(-3, 3, 20)


def test_log_odds_that_follow_the_shares_are_found_whatever_their_size_and_sign() -> None:
    for factor in (0.01, 1.0, -2.0):
        result = association(REPORTED, factor * REPORTED, permutations=999, seed=0)
        assert result is not None
        assert result.correlation == pytest.approx(np.sign(factor))
        assert result.found(0.01)


def test_p_is_the_share_of_pairings_that_correlate_as_strongly() -> None:
    reported = np.array([-2.0, -1.0, 0.5, 1.0, 3.0])
    odds = np.array([0.3, -0.2, 0.1, 0.9, 0.4])
    observed = np.corrcoef(reported, odds)[0, 1]
    every = np.array([np.corrcoef(reported, np.array(p))[0, 1] for p in permutations(odds)])
    tails = np.mean(every >= observed - 1e-12), np.mean(every <= observed + 1e-12)
    result = association(reported, odds, permutations=9999, seed=0)
    assert result is not None
    assert result.p_value == pytest.approx(2 * min(tails))


def test_chance_is_called_a_bias_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((400, len(REPORTED)))
    tested = [association(REPORTED, odds, 199, seed) for seed, odds in enumerate(drawn)]
    found = [test is not None and test.found(0.05) for test in tested]
    assert 0.02 < np.mean(found) < 0.085  # four standard errors around 0.05


@pytest.mark.parametrize(
    ("reported", "odds"),
    [(REPORTED[:4], REPORTED[:4]), (REPORTED, np.zeros(20)), (np.zeros(20), REPORTED)],
)
def test_too_little_to_test_is_unknown(reported: np.ndarray, odds: np.ndarray) -> None:
    assert association(reported, odds, 99, seed=0) is None
