"""What a table could have shown: the smallest effect that its sample would mostly find."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from evenkeel.statistics.estimate import Estimate, Measures, rounded

POWER = 0.8
"""Share of samples in which an effect of the size given is significant at 5 %."""


def detectable(estimate: Estimate, units: int) -> float | None:
    """Smallest change of a measure that a sample like this one finds, with power 0.8.

    An effect d is found when its interval leaves out zero, so d is (t.975 + t.80) standard errors;
    half the interval is t.975 of them. The precision is that at the value measured.

    Args:
        estimate: of the measure, with its interval.
        units: terms or texts behind it.
    """
    if estimate.low is None or estimate.high is None or units < 2:
        return None
    significant, powerful = (float(student.ppf(level, units - 1)) for level in (0.975, POWER))
    return float((estimate.high - estimate.low) / 2 * (significant + powerful) / significant)


def detectable_correlation(units: int) -> float | None:
    """Smallest Pearson correlation that so many terms show with power 0.8 (Fisher's z)."""
    if units < 5:
        return None
    return float(np.tanh((norm.ppf(0.975) + norm.ppf(POWER)) / np.sqrt(units - 3)))


def smallest_detectable(measures: Measures, units: Mapping[str, int]) -> dict[str, float | None]:
    """`detectable` of each measure named in `units`, which gives the units behind it."""
    return {
        name: rounded(detectable(measures[name], number))
        for name, number in units.items()
        if name in measures
    }
