"""What the measures say of organisms whose bias is known: is it recovered, is none invented?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, linregress
from scipy.stats import t as student

from evenkeel.datasets.records import Prompt
from evenkeel.metrics.association import Association, association
from evenkeel.metrics.measures import PanelMeasures
from evenkeel.models.loading import LoadedModel
from evenkeel.scoring.prompt_set import Panel
from evenkeel.statistics.estimate import Estimate, rounded

BATCH_SIZE = 64
RESAMPLES = 2000


@dataclass(frozen=True)
class Organism:
    """One organism: what was planted in it, and what was measured."""

    name: str
    strength: float
    """Planted: log-odds in the corpus over those that were reported; 0 is the unbiased twin."""
    slope: Estimate
    """Measured: slope of the model's log-odds on the reported ones."""
    association: Association | None
    """None if it cannot be tested."""
    spread: Estimate
    definitional_accuracy: Estimate

    @property
    def row(self) -> dict[str, str | float | None]:
        """One line of the table and of the plots."""
        tested = self.association
        return {
            "organism": self.name,
            "planted": self.strength,
            "measured": rounded(self.slope.value),
            "measured_low": rounded(self.slope.low),
            "measured_high": rounded(self.slope.high),
            "correlation": rounded(tested.correlation) if tested else None,
            "p_value": rounded(tested.p_value) if tested else None,
            "occupation_spread": rounded(self.spread.value),
            "definitional_accuracy": rounded(self.definitional_accuracy.value),
        }


def measure_organism(
    name: str,
    strength: float,
    loaded: LoadedModel,
    prompts: Sequence[Prompt],
    texts: Sequence[str],
    permutations: int,
    seed: int,
) -> Organism:
    """Ask an organism about all occupations, in prompts that its corpus does not have.

    Args:
        name: of the organism.
        strength: that was planted.
        loaded: the organism.
        prompts: of all splits, with the shares as reported, whatever was planted.
        texts: held-out plain texts.
        permutations: behind the p of the association.
        seed: of permutations and resamples.
    """
    panel = Panel.of(loaded.model, loaded.tokenizer, prompts, texts)
    readings = panel.read(loaded.model, BATCH_SIZE)
    measures = PanelMeasures(panel, RESAMPLES, seed).of(readings)
    odds = panel.occupations.mean(readings.stereotypical)
    return Organism(
        name=name,
        strength=strength,
        slope=measures["planted_slope"],  # of the prompts' shares, which are the reported ones
        association=association(panel.planted, odds, permutations, seed),
        spread=measures["occupation_spread"],
        definitional_accuracy=measures["definitional_accuracy"],
    )


def summarize(
    organisms: Sequence[Organism], level: float, min_definitional_accuracy: float
) -> dict[str, Any]:
    """How well the measures hold what was planted, over organisms that learned to use gender.

    Args:
        organisms: unbiased twins and biased ones.
        level: a bias counts as found where p is below it.
        min_definitional_accuracy: an organism below it is too weak to say anything, and is only
            counted.

    Returns:
        `false_positives` among the twins with its exact interval (Clopper and Pearson 1934) and the
        p of a binomial test against the level; `detected` among the others; `recovery`, the
        least-squares line of the measured strength on the planted one.
    """
    able = [
        organism
        for organism in organisms
        if (organism.definitional_accuracy.value or 0) >= min_definitional_accuracy
    ]
    twins = [organism for organism in able if organism.strength == 0]
    biased = [organism for organism in able if organism.strength > 0]
    return {
        "organisms": len(organisms),
        "too_weak": len(organisms) - len(able),
        "level": level,
        "false_positives": _share_found(twins, level),
        "detected": _share_found(biased, level),
        "recovery": _line(able),
    }


def _share_found(organisms: Sequence[Organism], level: float) -> dict[str, Any]:
    tests = [organism.association for organism in organisms]
    found = sum(test is not None and test.found(level) for test in tests)
    if not organisms:
        return {"of": 0, "found": 0, "share": None, "share_ci95": None, "p_against_level": None}
    test = binomtest(found, len(organisms), level)
    interval = test.proportion_ci(method="exact")
    return {
        "of": len(organisms),
        "found": found,
        "share": rounded(found / len(organisms)),
        "share_ci95": [rounded(interval.low), rounded(interval.high)],
        "p_against_level": rounded(test.pvalue),
    }


def _line(organisms: Sequence[Organism]) -> dict[str, Any]:
    """Measured strength on planted strength; unknown where fewer than two were planted."""
    known = [organism for organism in organisms if organism.slope.value is not None]
    planted = np.array([organism.strength for organism in known])
    measured = np.array([organism.slope.value for organism in known], dtype=float)
    if len(known) < 3 or np.ptp(planted) == 0:
        return Estimate(None).columns("slope") | Estimate(None).columns("intercept")
    line = linregress(planted, measured)
    reach = student.ppf(0.975, len(known) - 2)
    estimates = {
        "slope": (line.slope, line.stderr),
        "intercept": (line.intercept, line.intercept_stderr),
    }
    record: dict[str, Any] = {}
    for name, (value, error) in estimates.items():
        record |= Estimate(value, value - reach * error, value + reach * error).columns(name)
    return record
