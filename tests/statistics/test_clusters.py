"""Rows are put together by their cluster."""

import numpy as np

from evenkeel.statistics.clusters import Clusters


def test_items_are_averaged_over_their_templates() -> None:
    items = Clusters.of(["nurse", "cook", "nurse", "cook", "cook"])
    values = np.array([1.0, 2, 3, 4, 9])
    assert items.names == ("nurse", "cook")
    assert items.mean(values).tolist() == [2, 5]
    assert items.counts.tolist() == [2, 3]
    table = np.stack([values, -values], axis=1)
    assert items.mean(table).tolist() == [[2, -2], [5, -5]]
