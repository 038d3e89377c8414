"""Harm is counted item by item, whatever the average says."""

from typing import Any

import numpy as np
import pytest

from evenkeel.metrics.harm import harm_counts
from evenkeel.statistics.bootstrap import ClusterBootstrap
from evenkeel.statistics.clusters import Clusters


def two(odds: Any) -> np.ndarray:
    """Scores of two groups whose log-odds are given."""
    return np.stack([np.asarray(odds) / 2, -np.asarray(odds) / 2], axis=-1)


def test_items_moved_away_are_counted() -> None:
    terms = Clusters.of(["nurse", "nurse", "clerk", "clerk", "judge"])
    baseline = two([2.0, -1.0, 0.5, 0.5, -3.0])
    steered = two([1.0, -1.5, -0.7, 0.5, 3.0])  # nearer, away, away across, same, mirrored
    found = harm_counts(baseline, steered, terms, ClusterBootstrap(3, 200, 0))
    assert found["moved_away_share"].value == pytest.approx(2 / 5)
    assert found["crossed_away_share"].value == pytest.approx(1 / 5)


def test_no_change_is_no_harm_and_no_certainty() -> None:
    odds = two(np.linspace(-2, 2, 10))
    terms = Clusters.of([f"term {index}" for index in range(10)])
    found = harm_counts(odds, odds, terms, ClusterBootstrap(10, 200, 0))["moved_away_share"]
    assert (found.value, found.low) == (0, 0)
    assert found.high is not None
    assert found.high > 0.2


def test_rounding_of_the_forward_pass_is_no_move() -> None:
    before = two(np.full(4, 1.0))
    after = two(1.0 + np.array([0.0, 9e-4, 1.1e-3, -1e-2]))
    items = Clusters.of(list("abcd"))
    found = harm_counts(before, after, items, ClusterBootstrap(4, 100, 0))
    assert found["moved_away_share"].value == pytest.approx(1 / 4)
