"""Scores of explanations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from evenkeel.interpretation.detection import mean_accuracy, score
from evenkeel.interpretation.interpret import interpret, summarize
from evenkeel.interpretation.offline import OfflineInterpreter
from evenkeel.interpretation.records import Detection
from tests.interpretation.cases import WOMEN, evidence_on
from tests.interpretation.test_enrichment import CATEGORIES

EVIDENCE = evidence_on(1, WOMEN)


@given(st.lists(st.booleans(), min_size=20, max_size=20))
def test_balanced_accuracy_is_the_mean_of_both_rates_within_its_interval(
    verdicts: list[bool],
) -> None:
    detection = score(EVIDENCE, verdicts)
    truth = [context.kind == "top" for context in EVIDENCE.test]
    assert detection.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, verdicts))
    low, high = detection.balanced_accuracy_ci95
    assert 0 <= low <= detection.balanced_accuracy <= high <= 1
    opposite = score(EVIDENCE, [not verdict for verdict in verdicts])
    assert opposite.balanced_accuracy == pytest.approx(1 - detection.balanced_accuracy)


def test_the_interval_is_wilsons() -> None:
    truth = [context.kind == "top" for context in EVIDENCE.test]
    n, p, z = 20, 0.9, 1.959964
    verdicts = [not t if i < 2 else t for i, t in enumerate(truth)]
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    assert score(EVIDENCE, verdicts).balanced_accuracy_ci95 == pytest.approx(
        (center - half, center + half), abs=1e-6
    )


def detection(accuracy: float) -> Detection:
    return Detection(
        contexts=20,
        balanced_accuracy=accuracy,
        balanced_accuracy_ci95=(0, 1),
        sensitivity=accuracy,
        specificity=accuracy,
    )


def test_the_mean_resamples_features() -> None:
    assert mean_accuracy([], 100, 0) == (None, None)
    assert mean_accuracy([detection(0.75)], 100, 0) == (0.75, None)
    values = [detection(v) for v in (0.5, 0.6, 0.9, 1.0, 0.8)]
    mean, interval = mean_accuracy(values, 1000, 0)
    assert mean == pytest.approx(0.76)
    assert interval is not None
    assert 0.5 < interval[0] < 0.76 < interval[1] < 1
    assert mean_accuracy(values, 1000, 0) == (mean, interval)


def test_features_with_too_few_contexts_are_failures_not_scores() -> None:
    silent = evidence_on(3, WOMEN, count=0)
    few = evidence_on(2, WOMEN, count=7)
    rows = interpret(OfflineInterpreter(CATEGORIES, 0.05), [silent, few, EVIDENCE])
    assert rows[0].failure is not None
    assert rows[0].failure.message == "it fires in no context"
    assert rows[1].explanation is not None
    assert rows[1].detection_failure is not None
    assert rows[1].detection_failure.message.endswith("of each kind, there are 3")
    assert rows[2].detection is not None
    assert rows[2].detection.balanced_accuracy == 1.0
    summary = summarize(rows, 100, 0)
    assert summary["failures"] == summary["detection_failures"] == {"too_few_contexts": 1}
    assert (summary["features"], summary["explained"], summary["scored"]) == (3, 2, 1)
