"""How far steering moves a model on ordinary text: the divergence from the unsteered one."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import nn

from evenkeel.evaluation.token_reads import length_sorted, padded
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention


@torch.inference_mode()
def text_divergences(
    model: nn.Module,
    interventions: Sequence[Intervention],
    texts: Sequence[Sequence[int]],
    batch_size: int,
) -> Float[ndarray, " texts"]:
    """KL(unsteered || steered) of the next token, in nats, summed over the places of each text.

    The places are those whose next token the perplexity scores.
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
