"""How well a model predicts ordinary text: perplexity."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.statistics.bootstrap import ratio_of_sums


def perplexity(
    losses: Float[ndarray, "... texts"], tokens: Float[ndarray, "... texts"]
) -> Float[ndarray, "..."]:
    """exp of the mean loss per token; losses are in nats, summed over the tokens of a text."""
    return np.exp(ratio_of_sums(losses, tokens))


def perplexity_ratio(
    baseline: Float[ndarray, "... texts"],
    steered: Float[ndarray, "... texts"],
    tokens: Float[ndarray, "... texts"],
) -> Float[ndarray, "..."]:
    """Steered over baseline perplexity on the same texts: 1 costs nothing."""
    return np.exp(ratio_of_sums(steered - baseline, tokens))
