"""Whether a model follows the reported shares of women at all: is there a bias to find?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.stats import PermutationMethod, pearsonr

MIN_OCCUPATIONS = 5


@dataclass(frozen=True)
class Association:
    """Correlation of log-odds with reported ones over occupations, and how rare it is by chance."""

    correlation: float
    p_value: float
    """Two-sided, from permutations: twice the share of pairings that correlate as far that way."""

    def found(self, level: float) -> bool:
        """Whether chance is ruled out at this level."""
        return self.p_value < level


def association(
    reported: Float[ndarray, " occupations"],
    log_odds: Float[ndarray, " occupations"],
    permutations: int,
    seed: int,
) -> Association | None:
    """Test whether log-odds go with the reported ones, by permuting the occupations.

    A spread of log-odds alone is no evidence: every model tells words apart a little. Under the
    null hypothesis, any other pairing of occupations with shares would have been as likely.

    Args:
        reported: logit of the share of women.
        log_odds: what the model says, in nats, positive towards the female side.
        permutations: random pairings; all are tried where there are fewer.
        seed: of the pairings.

    Returns:
        None where it cannot be tested: fewer than five occupations, or no spread in either.
    """
    if len(reported) < MIN_OCCUPATIONS or np.ptp(reported) == 0 or np.ptp(log_odds) == 0:
        return None
    method = PermutationMethod(n_resamples=permutations, rng=np.random.default_rng(seed))
    result = pearsonr(reported, log_odds, method=method)
    return Association(float(result.statistic), float(result.pvalue))
