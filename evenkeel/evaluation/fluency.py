"""What steering costs on ordinary text: perplexity and divergence from the unsteered model."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import nn

from evenkeel.evaluation.bootstrap import ratio_of_sums
from evenkeel.evaluation.token_reads import length_sorted, padded, read_log_probs, text_reads
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention


def text_losses(
    model: nn.Module, texts: Sequence[Sequence[int]], batch_size: int
) -> Float[ndarray, " texts"]:
    """Negative log-likelihood of each text, in nats, summed over all tokens but the first."""
    reads = text_reads(texts)
    log_probs = read_log_probs(model, texts, reads, batch_size)
    return np.bincount(reads.row, weights=-log_probs, minlength=len(texts))


@torch.inference_mode()
def text_divergences(
    model: nn.Module,
    interventions: Sequence[Intervention],
    texts: Sequence[Sequence[int]],
    batch_size: int,
) -> Float[ndarray, " texts"]:
    """KL(unsteered || steered) of the next token, in nats, summed over the places of each text.

    The places are those whose next token `text_losses` scores.
    """
    device = next(model.parameters()).device
    result = np.zeros(len(texts))
    for batch in length_sorted([len(text) for text in texts], batch_size):
        inputs = padded([texts[index] for index in batch], device)
        base = model(**inputs, use_cache=False).logits[:, :-1].float().log_softmax(dim=-1)
        with steer(model, interventions):
            steered = model(**inputs, use_cache=False).logits[:, :-1].float().log_softmax(dim=-1)
        divergence = (base.exp() * (base - steered)).sum(dim=-1)
        divergence = divergence * inputs["attention_mask"][:, 1:]
        result[batch] = divergence.double().sum(dim=1).cpu().numpy()
    return result


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
