import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evenkeel.probes.logistic import choose_c, fit_logistic, fit_logistics, scores


def planted(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    positive = generator.random(rows) < 0.5
    x = generator.standard_normal((rows, 10))
    x[:, 3] += 1.5 * positive
    return x.astype(np.float32), positive


@pytest.mark.parametrize("c", [0.001, 1.0])
def test_the_folded_probe_is_sklearns_pipeline(c: float) -> None:
    x, positive = planted(200, 0)
    x = (x * np.logspace(-2, 3, 10) + 50).astype(np.float32)
    x[:, 7] = 3.25  # a dimension that never varies
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=10_000, tol=1e-10))
    pipeline.fit(x.astype(np.float64), positive)
    folded = scores(x, fit_logistic(x, positive, c))
    assert folded == pytest.approx(pipeline.decision_function(x.astype(np.float64)), abs=2e-4)


def test_weights_are_sklearns() -> None:
    x, positive = planted(200, 0)
    weights = np.linspace(0.1, 3, len(x))
    scaled = StandardScaler().fit(x.astype(np.float64))
    model = LogisticRegression(C=0.01, max_iter=10_000, tol=1e-10)
    model.fit(scaled.transform(x.astype(np.float64)), positive, sample_weight=weights)
    expected = model.decision_function(scaled.transform(x.astype(np.float64)))
    found = scores(x, fit_logistic(x, positive, 0.01, weights))
    assert found == pytest.approx(expected, abs=2e-4)
    assert found != pytest.approx(scores(x, fit_logistic(x, positive, 0.01)), abs=1e-2)


def test_a_constant_and_a_scale_change_nothing() -> None:
    x, positive = planted(200, 0)
    moved = x * np.float32(4) + np.float32(16)
    assert scores(moved, fit_logistic(moved, positive, 0.1)) == pytest.approx(
        scores(x, fit_logistic(x, positive, 0.1)), abs=1e-3
    )


def test_a_separable_fit_converges() -> None:
    x, positive = planted(200, 0)
    x[:, 3] += 100 * positive
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_logistic(x, positive, 100.0)


def test_validation_chooses_between_too_strong_and_too_weak() -> None:
    """60 rows of 200 noisy dimensions: next to no penalty overfits, a huge one says nothing."""
    generator = np.random.default_rng(0)

    def draw(rows: int) -> tuple[np.ndarray, np.ndarray]:
        positive = np.arange(rows) % 2 == 0
        x = generator.standard_normal((rows, 200))
        x[:, :20] += 0.25 * np.where(positive, 1, -1)[:, None]
        return x.astype(np.float32), positive

    train, validation = draw(60), draw(400)
    c, linear = choose_c(train, validation, [1e-9, 1e-3, 1e3])
    assert c == 1e-3
    assert linear[0] == pytest.approx(fit_logistic(*train, 1e-3)[0], abs=1e-6)


@pytest.mark.parametrize("rows", [60, 400])
def test_many_at_once_are_sklearns_one_by_one(rows: int) -> None:
    """Fewer rows than dimensions, and more; hard and easy labels, weak and strong penalties."""
    generator = np.random.default_rng(1)
    x = (generator.standard_normal((rows, 100)) @ generator.standard_normal((100, 100)) + 3).astype(
        np.float32
    )
    labels = [generator.random(rows) < 0.5, x[:, 0] > 3, x[:, 1] + x[:, 2] > 9]
    problems = [(positive, c) for positive in labels for c in (1e-4, 1e-2, 1.0)]
    weights = generator.uniform(0.2, 2, rows)
    found = fit_logistics(x, [p for p, _ in problems], [c for _, c in problems], weights)
    scaler = StandardScaler().fit(x.astype(np.float64))
    for (positive, c), (weight, bias) in zip(problems, found, strict=True):
        model = LogisticRegression(C=c, max_iter=100_000, tol=1e-10)
        model.fit(scaler.transform(x.astype(np.float64)), positive, sample_weight=weights)
        assert weight * scaler.scale_ == pytest.approx(model.coef_[0], abs=1e-4)
        expected = model.decision_function(scaler.transform(x.astype(np.float64)))
        assert scores(x, (weight, bias)) == pytest.approx(expected, abs=1e-3)
