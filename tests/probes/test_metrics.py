import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from evenkeel.probes.metrics import accuracy, auroc, log_loss

rows = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40).filter(
    lambda values: len({positive for _, positive in values}) == 2
)


@settings(max_examples=30)
@given(rows, st.integers(0, 2**32 - 1))
def test_weighted_measures_agree_with_sklearn(values: list[tuple[int, bool]], seed: int) -> None:
    scores = np.array([score for score, _ in values], dtype=float)
    positive = np.array([flag for _, flag in values])
    weights = np.random.default_rng(seed).integers(1, 4, (3, len(values))).astype(float)
    for measured, reference in (
        (
            auroc(scores, positive, weights),
            lambda w: roc_auc_score(positive, scores, sample_weight=w),
        ),
        (
            accuracy(scores, positive, weights),
            lambda w: accuracy_score(positive, scores > 0, sample_weight=w),
        ),
    ):
        assert measured == pytest.approx([reference(weight) for weight in weights])
    assert auroc(scores, positive) == pytest.approx([roc_auc_score(positive, scores)])
    assert log_loss(scores, positive) == pytest.approx(
        sklearn_log_loss(positive, 1 / (1 + np.exp(-scores)))
    )


def test_a_class_without_weight_leaves_auroc_undefined() -> None:
    scores, positive = np.array([0.0, 1.0]), np.array([False, True])
    values = auroc(scores, positive, np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert np.isnan(values[0])
    assert values[1] == 1
    assert np.isnan(accuracy(scores, positive, np.zeros((1, 2)))).all()
