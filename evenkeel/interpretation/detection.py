"""The test of an explanation: does it tell where the feature fires?"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, bootstrap

from evenkeel.interpretation.evidence import Evidence
from evenkeel.interpretation.records import Detection

FEWEST_PAIRS = 4
"""Held-out contexts of each kind below which there is no test: its interval would say nothing."""


def score(evidence: Evidence, verdicts: Sequence[bool]) -> Detection:
    """Compare verdicts on `evidence.test` with what the feature does there.

    Both kinds are equally many, so that balanced accuracy is the share of right verdicts. The
    Wilson interval treats them as one binomial sample, which is if anything too wide.
    """
    fires = np.array([context.kind == "top" for context in evidence.test])
    right = np.array(verdicts) == fires
    assert 2 * fires.sum() == len(fires), "the test is not balanced"
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return Detection(
        contexts=len(right),
        balanced_accuracy=float(right.mean()),
        balanced_accuracy_ci95=(float(interval.low), float(interval.high)),
        sensitivity=float(right[fires].mean()),
        specificity=float(right[~fires].mean()),
    )


def mean_accuracy(
    detections: Sequence[Detection], resamples: int, seed: int
) -> tuple[float | None, tuple[float, float] | None]:
    """Mean balanced accuracy over features and its 95 % interval, resampling features.

    Returns:
        None for what there are too few features for: the mean of none, the interval of one.
    """
    values = np.array([detection.balanced_accuracy for detection in detections])
    if not len(values):
        return None, None
    if len(values) == 1:
        return float(values[0]), None
    interval = bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(values.mean()), (float(interval.low), float(interval.high))
