"""How well a model predicts ordinary text: perplexity."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import nn

from evenkeel.evaluation.bootstrap import ratio_of_sums
from evenkeel.evaluation.token_reads import read_log_probs, text_reads


def text_losses(
    model: nn.Module, texts: Sequence[Sequence[int]], batch_size: int
) -> Float[ndarray, " texts"]:
    """Negative log-likelihood of each text, in nats, summed over all tokens but the first."""
    reads = text_reads(texts)
    log_probs = read_log_probs(model, texts, reads, batch_size)
    return np.bincount(reads.row, weights=-log_probs, minlength=len(texts))


def perplexity(
    losses: Float[ndarray, "... texts"], tokens: Float[ndarray, "... texts"]
) -> Float[ndarray, "..."]:
    """exp of the mean loss per token."""
    return np.exp(ratio_of_sums(losses, tokens))


def perplexity_ratio(
    baseline: Float[ndarray, "... texts"],
    steered: Float[ndarray, "... texts"],
    tokens: Float[ndarray, "... texts"],
) -> Float[ndarray, "..."]:
    """Steered over baseline perplexity on the same texts: 1 costs nothing."""
    return np.exp(ratio_of_sums(steered - baseline, tokens))
