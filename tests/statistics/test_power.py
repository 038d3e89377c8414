"""The smallest detectable effect is found in about 80 % of samples, smaller ones less often."""

import numpy as np
import pytest

from evenkeel.statistics.bootstrap import ClusterBootstrap, mean
from evenkeel.statistics.estimate import Estimate
from evenkeel.statistics.power import detectable, detectable_correlation


def test_the_effect_is_found_with_the_power_stated() -> None:
    bootstrap = ClusterBootstrap(20, 1000, seed=0)
    sizes = [
        detectable(bootstrap.estimate(mean, np.random.default_rng(seed).normal(size=20)), 20)
        for seed in range(50)
    ]
    effect = float(np.median([size for size in sizes if size is not None]))
    found = 0
    for seed in range(300):
        sample = np.random.default_rng(1000 + seed).normal(effect, 1, 20)
        low = bootstrap.estimate(mean, sample).low
        assert low is not None
        found += low > 0
    assert 0.7 <= found / 300 <= 0.88


def test_the_correlation_is_found_with_the_power_stated() -> None:
    from scipy.stats import pearsonr

    r = detectable_correlation(20)
    assert r is not None
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 1000, 20))
    y = r * x + np.sqrt(1 - r**2) * noise
    assert np.mean(pearsonr(x, y, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.05)


def test_without_an_interval_nothing_is_said() -> None:
    assert detectable(Estimate(1.0), 20) is None
    assert detectable(Estimate(1.0, 1.0, 1.0), 1) is None
    assert detectable_correlation(4) is None
