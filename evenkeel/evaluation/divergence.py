"""How far steering moves a model on ordinary text: the divergence from the unsteered one."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from evenkeel.evaluation.resumption import first_affected, recorded, resumed
from evenkeel.evaluation.token_reads import length_sorted, padded
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention


@torch.inference_mode()
def text_divergences(
    model: nn.Module,
    edits: Sequence[Sequence[Intervention]],
    texts: Sequence[Sequence[int]],
    batch_size: int,
) -> Float[ndarray, "edits texts"]:
    """KL(unsteered || steered) of the next token, in nats, summed over the places of each text.

    The places are those whose next token the perplexity scores. The unsteered model runs once for
    all edits, and from the first block that an edit reaches on for each.
    """
    device = next(model.parameters()).device
    result = np.zeros((len(edits), len(texts)))
    for batch in length_sorted([len(text) for text in texts], batch_size):
        rows = padded([texts[index] for index in batch])
        inputs = {name: tensor.to(device) for name, tensor in rows.items()}
        with recorded(model) as outputs:
            base = _log_probs(model, inputs)
        probs = base.exp()
        for number, interventions in enumerate(edits):
            start = first_affected(interventions)
            with steer(model, interventions), resumed(model, outputs, start):
                steered = _log_probs(model, inputs)
            divergence = (probs * (base - steered)).sum(dim=-1) * inputs["attention_mask"][:, 1:]
            result[number, batch] = divergence.double().sum(dim=1).cpu().numpy()
    return result


def _log_probs(model: nn.Module, inputs: dict[str, Tensor]) -> Float[Tensor, "texts places vocab"]:
    return model(**inputs, use_cache=False).logits[:, :-1].float().log_softmax(dim=-1)
