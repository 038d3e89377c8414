"""Metrics of organisms whose bias is known: is it recovered, on its own axis, and none invented?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, linregress
from scipy.stats import t as student

from evenkeel.datasets.records import Prompt
from evenkeel.evaluation.result import Result
from evenkeel.metrics.association import Association, association
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.models.loading import LoadedModel
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.statistics.estimate import Estimate, rounded

BATCH_SIZE = 64
RESAMPLES = 2000
Interval = tuple[float, float]


@dataclass(frozen=True)
class AxisRecovery:
    """One axis of one organism: what was planted, and what was measured."""

    organism: str
    axis: str
    strength: float
    """Planted: log-odds in the corpus over those of the reference; 0 is unbiased."""
    slope: Estimate
    """Measured: slope of the model's scores on the reference."""
    association: Association | None
    """None if it cannot be tested."""
    spread: Estimate
    definitional_accuracy: Estimate
    alone: bool
    """Whether the organism is biased on a single axis."""

    @property
    def row(self) -> dict[str, str | float | None]:
        """One line of the table and of the plots."""
        return {
            "organism": self.organism,
            "axis": self.axis,
            "planted": self.strength,
            "measured": rounded(self.slope.value),
            "measured_low": rounded(self.slope.low),
            "measured_high": rounded(self.slope.high),
            "correlation": rounded(self.association.value) if self.association else None,
            "p": rounded(self.association.p_value) if self.association else None,
            "item_spread": rounded(self.spread.value),
            "definitional_accuracy": rounded(self.definitional_accuracy.value),
        }

    def able(self, least: float) -> bool:
        """Whether the organism learned the groups of the axis well enough to be counted."""
        return (self.definitional_accuracy.value or 0.0) >= least


class Found(Result):
    """In how many of some tests a bias was found."""

    found: int
    of: int
    share: float | None
    share_ci95: Interval | None
    """Exact (Clopper and Pearson 1934)."""
    p_against_level: float | None
    """Of a binomial test that the share is the level of the tests."""


class Line(Result):
    """Least-squares line of the measured strength on the planted one."""

    slope: float | None
    slope_ci95: Interval | None
    intercept: float | None
    intercept_ci95: Interval | None


class GroundTruth(Result):
    """validation/summary.json."""

    organisms: int
    tests: int
    """Axes of organisms."""
    too_weak: int
    """Of these, whose organism did not learn the axis's groups; they are not counted further."""
    level: float
    false_positives: Found
    """Axes of organisms that are biased on no axis."""
    detected: Found
    """Axes of organisms on which a bias was planted."""
    alone_detected: Found
    """Of organisms biased on one axis only, that axis."""
    alone_elsewhere: Found
    """Of these, all other axes."""
    recovery: dict[str, Line]
    """By axis, and over all."""


def measure_organism(
    name: str,
    strengths: Mapping[str, float],
    loaded: LoadedModel,
    prompts: Sequence[Prompt],
    permutations: int,
    seed: int,
) -> list[AxisRecovery]:
    """Score all items of every axis on an organism, with prompts that its corpus does not have.

    Args:
        name: of the organism.
        strengths: planted, by axis.
        loaded: the organism.
        prompts: of all splits, with the full rates, whatever was planted.
        permutations: behind the p of the association.
        seed: of permutations and resamples.
    """
    recoveries = []
    biased = [axis for axis, strength in strengths.items() if strength > 0]
    for axis, strength in strengths.items():
        of_axis = [prompt for prompt in prompts if prompt.axis == axis]
        prompt_set = PromptSet.of(loaded.model, loaded.tokenizer, of_axis, ())
        measures = PromptSetMeasures(prompt_set, RESAMPLES, seed)
        readings = prompt_set.read(loaded.model, BATCH_SIZE)
        items, known = measures.items, measures.items.has_reference
        estimates = measures.of(readings)
        recoveries.append(
            AxisRecovery(
                organism=name,
                axis=axis,
                strength=strength,
                slope=estimates["reference_slope"],
                association=association(
                    items.reference[known], items.scores(readings)[known], permutations, seed
                ),
                spread=estimates["item_spread"],
                definitional_accuracy=estimates["definitional_accuracy"],
                alone=len(biased) == 1,
            )
        )
    return recoveries


def summarize(
    recoveries: Sequence[AxisRecovery], level: float, min_definitional_accuracy: float
) -> GroundTruth:
    """How well the metrics hold what was planted, over axes that organisms learned to use.

    Args:
        recoveries: of unbiased twins, of organisms biased on one axis, and on all.
        level: a bias counts as found where p is below it.
        min_definitional_accuracy: an axis below it is too weak to say anything, and only counted.
    """
    able = [each for each in recoveries if each.able(min_definitional_accuracy)]
    biased = {each.organism for each in recoveries if each.strength > 0}
    alone = [each for each in able if each.alone]
    together = [each for each in able if not each.alone]
    lines = {
        axis: _line([each for each in together if each.axis == axis])
        for axis in dict.fromkeys(each.axis for each in recoveries)
    }
    return GroundTruth(
        organisms=len({each.organism for each in recoveries}),
        tests=len(recoveries),
        too_weak=len(recoveries) - len(able),
        level=level,
        false_positives=_found([each for each in able if each.organism not in biased], level),
        detected=_found([each for each in able if each.strength > 0], level),
        alone_detected=_found([each for each in alone if each.strength > 0], level),
        alone_elsewhere=_found([each for each in alone if each.strength == 0], level),
        recovery=lines | {"all": _line(together)},
    )


def _found(recoveries: Sequence[AxisRecovery], level: float) -> Found:
    tests = [each.association for each in recoveries]
    found = sum(test is not None and test.found(level) for test in tests)
    if not recoveries:
        return Found(found=0, of=0, share=None, share_ci95=None, p_against_level=None)
    test = binomtest(found, len(recoveries), level)
    interval = test.proportion_ci(method="exact")
    return Found(
        found=found,
        of=len(recoveries),
        share=rounded(found / len(recoveries)),
        share_ci95=(float(f"{interval.low:.6g}"), float(f"{interval.high:.6g}")),
        p_against_level=rounded(test.pvalue),
    )


def _line(recoveries: Sequence[AxisRecovery]) -> Line:
    """Measured strength on planted strength; unknown where fewer than three were measured."""
    known = [each for each in recoveries if each.slope.value is not None]
    planted = np.array([each.strength for each in known])
    measured = np.array([each.slope.value for each in known], dtype=float)
    if len(known) < 3 or np.ptp(planted) == 0:
        return Line(slope=None, slope_ci95=None, intercept=None, intercept_ci95=None)
    line = linregress(planted, measured)
    reach = student.ppf(0.975, len(known) - 2)
    estimates = {
        "slope": (line.slope, line.stderr),
        "intercept": (line.intercept, line.intercept_stderr),
    }
    fields: dict[str, Any] = {}
    for name, (value, error) in estimates.items():
        estimate = Estimate(
            float(value), float(value - reach * error), float(value + reach * error)
        )
        fields |= estimate.columns(name)
    return Line.model_validate(fields)
