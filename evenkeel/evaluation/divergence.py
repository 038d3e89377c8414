"""How far a model is moved on ordinary text, by steering or by what stands before the text."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from evenkeel.evaluation.panel import Panel
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
        inputs = _inputs([texts[index] for index in batch], device)
        with recorded(model) as outputs:
            base = _log_probs(model, inputs)
        probs = base.exp()
        for number, interventions in enumerate(edits):
            start = first_affected(interventions)
            with steer(model, interventions), resumed(model, outputs, start):
                steered = _log_probs(model, inputs)
            result[number, batch] = _summed(probs, base - steered, inputs)
    return result


@torch.inference_mode()
def prefix_divergences(
    model: nn.Module, alone: Panel, behind: Sequence[Panel], batch_size: int
) -> Float[ndarray, "prefixes texts"]:
    """KL(text alone || behind a prefix) of the next token, in nats, summed over each text's places.

    The places are those of the text's own tokens, which both panels score.

    Args:
        model: the unsteered model.
        alone: the panel without a prefix.
        behind: the same panel behind each prefix.
        batch_size: rows in a forward pass.
    """
    device = next(model.parameters()).device
    result = np.zeros((len(behind), len(alone.texts)))
    for batch in length_sorted([len(text) for text in alone.texts], batch_size):
        inputs = _inputs([alone.texts[index] for index in batch], device)
        base = _log_probs(model, inputs)
        probs = base.exp()
        places = torch.arange(base.shape[1], device=device)
        rows = torch.arange(len(batch), device=device)[:, None]
        for number, panel in enumerate(behind):
            read = _log_probs(model, _inputs([panel.texts[index] for index in batch], device))
            before = [panel.unscored[index] - alone.unscored[index] for index in batch]
            own = places + torch.tensor(before, device=device)[:, None]
            own = own.clamp(max=read.shape[1] - 1)  # where a text has ended
            result[number, batch] = _summed(probs, base - read[rows, own], inputs)
    return result


def _inputs(texts: Sequence[Sequence[int]], device: torch.device) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in padded(texts).items()}


def _summed(
    probs: Float[Tensor, "texts places vocab"],
    log_ratios: Float[Tensor, "texts places vocab"],
    inputs: dict[str, Tensor],
) -> Float[ndarray, " texts"]:
    """Mean log-ratio under `probs`, summed over the places of each text."""
    divergence = (probs * log_ratios).sum(dim=-1) * inputs["attention_mask"][:, 1:]
    return divergence.double().sum(dim=1).cpu().numpy()


def _log_probs(model: nn.Module, inputs: dict[str, Tensor]) -> Float[Tensor, "texts places vocab"]:
    return model(**inputs, use_cache=False).logits[:, :-1].float().log_softmax(dim=-1)
