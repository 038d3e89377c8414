"""All probes of an axis as one detector of bias, weighted by what each is worth."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from evenkeel.errors import BadInputError
from evenkeel.files.fields import made_of
from evenkeel.probes.logistic import fit_logistic, scores
from evenkeel.probes.metrics import accuracy, auroc
from evenkeel.probes.probe import Count, Interval, Probe, Share
from evenkeel.probes.task import ProbeTask
from evenkeel.statistics.two_way import interval95


@dataclass(frozen=True)
class DetectorMetrics:
    """What the detector is worth on test statements."""

    accuracy: Share
    accuracy_ci95: Interval
    """95% bootstrap interval, terms resampled."""
    auroc: Share
    auroc_ci95: Interval
    n_test: Count


@dataclass(frozen=True)
class Detector:
    """log-odds of biased = slope * (weighted mean of the probes' log-odds) + intercept."""

    axis: str
    weights: tuple[Share, ...]
    """Of the axis's probes, in the order of ProbeSet.of_axis: validation AUROC above chance,
    together 1. A probe that is no better than chance has no say."""
    slope: float
    """Fitted on validation (Platt scaling): the probes' own log-odds are too modest or too bold."""
    intercept: float
    metrics: DetectorMetrics

    def __post_init__(self) -> None:
        numbers = [*self.weights, self.slope, self.intercept]
        whole = min(self.weights, default=-1.0) >= 0 and abs(sum(self.weights) - 1) <= 1e-6
        if not all(map(math.isfinite, numbers)) or not whole:
            raise BadInputError(
                f"detector of axis {self.axis!r}: weights {self.weights}, slope {self.slope}, "
                f"intercept {self.intercept} must be finite, no weight negative, all together 1; "
                "train the probes again"
            )

    def combine(self, log_odds: Float[np.ndarray, "probes rows"]) -> Float[np.ndarray, " rows"]:
        """Log-odds of biased from those of the probes."""
        return self.slope * np.tensordot(np.array(self.weights), log_odds, 1) + self.intercept

    def record(self) -> dict[str, Any]:
        """Every field, as JSON values."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Any, source: Path) -> Self:
        """Undo `record`; `source` is the file that messages name.

        Raises:
            BadInputError: a field is missing, unknown or invalid.
        """
        return made_of(cls, record, f"{source}: detector", "train the probes again")


def fit_detector(
    task: ProbeTask,
    probes: Sequence[Probe],
    log_odds: Float[np.ndarray, "probes statements"],
) -> Detector | None:
    """Weigh and calibrate on validation, measure on test.

    Args:
        task: of the probes' axis.
        probes: of one axis.
        log_odds: their scores of all statements.

    Returns:
        None if no probe is better than chance on validation.
    """
    skill = np.array([max(0.0, probe.metrics.validation_auroc - 0.5) for probe in probes])
    if skill.sum() == 0:
        return None
    weights = skill / skill.sum()
    mixed = np.tensordot(weights, log_odds, 1)[:, None]
    calibration = fit_logistic(mixed[task.validation], task.labels[task.validation], c=1.0)
    on_test, positive = scores(mixed[task.test], calibration), task.labels[task.test]
    where = f"detector of axis {task.axis!r}, split 'test'"
    return Detector(
        axis=task.axis,
        weights=tuple(weights.tolist()),
        slope=float(calibration[0][0]),
        intercept=calibration[1],
        metrics=DetectorMetrics(
            accuracy=float(accuracy(on_test, positive)[0]),
            accuracy_ci95=interval95(accuracy(on_test, positive, task.weights), where),
            auroc=float(auroc(on_test, positive)[0]),
            auroc_ci95=interval95(auroc(on_test, positive, task.weights), where),
            n_test=len(positive),
        ),
    )
