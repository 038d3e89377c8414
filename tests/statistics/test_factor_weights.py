import numpy as np
import pytest

from evenkeel.errors import BadInputError
from evenkeel.statistics.two_way import factor_weights, interval95

TERMS = [(f"group{i % 3}", f"attribute{i % 4}") for i in range(24)]


def test_rows_that_share_their_terms_share_their_weights() -> None:
    weights = factor_weights(TERMS, 50, np.random.default_rng(0))
    for i, left in enumerate(TERMS):
        for j, right in enumerate(TERMS):
            if left == right:
                assert (weights[:, i] == weights[:, j]).all()
    assert not (weights[:, 0] == weights[:, 1]).all()


def test_the_order_of_rows_does_not_matter() -> None:
    order = np.random.default_rng(1).permutation(len(TERMS))
    weights = factor_weights(TERMS, 50, np.random.default_rng(0))
    shuffled = factor_weights([TERMS[i] for i in order], 50, np.random.default_rng(0))
    assert (weights[:, order] == shuffled).all()


def test_every_row_weighs_one_on_average() -> None:
    weights = factor_weights(TERMS, 20_000, np.random.default_rng(0))
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.05)


def test_intervals_are_wide_when_terms_repeat() -> None:
    """200 rows of 4 terms are 4 observations: rows as the unit would claim far too much."""
    generator = np.random.default_rng(0)
    per_term = generator.standard_normal(4)
    values = np.repeat(per_term, 50)
    weights = factor_weights([(str(i // 50),) for i in range(200)], 4000, generator)
    means = weights @ values / weights.sum(axis=1)
    assert means.std() == pytest.approx(per_term.std() / np.sqrt(4), rel=0.05)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Mean of values with a random effect for each of two crossed factors; truth is 0."""
    generator = np.random.default_rng(0)
    terms = [(f"g{i}", f"a{j}") for i in range(20) for j in range(20)]
    covered = 0
    for _ in range(200):
        group, attribute = generator.standard_normal((2, 20))
        values = (group[:, None] + attribute[None, :] + generator.standard_normal((20, 20))).ravel()
        weights = factor_weights(terms, 200, generator)
        low, high = interval95(weights @ values / weights.sum(axis=1), "here")
        covered += low <= 0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_undefined_resamples_are_left_out_and_too_many_refused() -> None:
    assert interval95(np.array([1.0, 1.0, np.nan]), "here") == (1, 1)
    with pytest.raises(BadInputError, match="here: too few items for an interval"):
        interval95(np.array([1.0, np.nan, np.nan]), "here")
