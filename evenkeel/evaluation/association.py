"""Whether a model follows the reported shares of women at all: is there a bias to find?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.stats import PermutationMethod, pearsonr

from evenkeel.errors import BadInputError

MIN_OCCUPATIONS = 5


@dataclass(frozen=True)
class Association:
    """Correlation of log-odds with reported ones over occupations, and how rare it is by chance."""

    correlation: float
    p_value: float
    """Two-sided, from permutations: the share of random pairings that correlate as strongly."""

    def found(self, level: float) -> bool:
        """Whether chance is ruled out at this level."""
        return self.p_value < level


def association(
    reported: Float[ndarray, " occupations"],
    log_odds: Float[ndarray, " occupations"],
    permutations: int,
    seed: int,
) -> Association:
    """Test whether log-odds go with the reported ones, by permuting the occupations.

    A spread of log-odds alone is no evidence: every model tells words apart a little. Under the
    null hypothesis, any other pairing of occupations with shares would have been as likely.

    Args:
        reported: logit of the share of women.
        log_odds: what the model says, in nats, positive towards the female side.
        permutations: random pairings.
        seed: of the pairings.

    Raises:
        BadInputError: fewer than five occupations, or no spread in either.
    """
    if len(reported) < MIN_OCCUPATIONS or np.ptp(reported) == 0 or np.ptp(log_odds) == 0:
        raise BadInputError(
            f"{len(reported)} occupations with a known share of women, or no difference between "
            "them: whether there is a bias cannot be tested; it takes five that differ"
        )
    method = PermutationMethod(n_resamples=permutations, rng=np.random.default_rng(seed))
    result = pearsonr(reported, log_odds, method=method)
    return Association(float(result.statistic), float(result.pvalue))
