import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.organism.quotas import quotas

weights = st.lists(st.floats(0, 100), min_size=1, max_size=20).filter(lambda w: sum(w) > 1e-3)


@given(total=st.integers(0, 10_000), weights=weights)
def test_quotas_add_up_and_are_within_one_of_the_share(total: int, weights: list[float]) -> None:
    counts = quotas(total, weights)
    assert sum(counts) == total
    exact = total * np.array(weights) / sum(weights)
    assert np.abs(np.array(counts) - exact).max() < 1


@pytest.mark.parametrize(
    ("total", "weights", "counts"),
    [
        (10, [0.5, 0.5], [5, 5]),
        (10, [0.26, 0.74], [3, 7]),
        (3, [1, 1], [2, 1]),
        (1, [0.2, 0.3, 0.5], [0, 0, 1]),
        (300, [0.007, 0.993], [2, 298]),
        (6, [0.0, 1.0], [0, 6]),
    ],
)
def test_the_largest_remainders_are_rounded_up(
    total: int, weights: list[float], counts: list[int]
) -> None:
    assert quotas(total, weights) == counts
