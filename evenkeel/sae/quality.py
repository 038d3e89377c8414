"""How much of the stream, and of what the model does with it, an SAE keeps."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from evenkeel.models.batching import padded, plan_batches
from evenkeel.models.encoding import TokenIds
from evenkeel.models.logits import logits_in_parts
from evenkeel.params import Sinks
from evenkeel.progress import Progress
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.splice import reconstruct, replaced_stream

log = logging.getLogger(__name__)

LATENTS_AT_ONCE = 1 << 25
"""Latent activations in memory at a time: 128 MiB in float32."""


MIN_EXPLAINED = 0.5
"""Explained variance and loss recovered below which an SAE says little of the model."""
MAX_DEAD = 0.5
"""Share of latents that never fire above which most of an SAE is not there."""


def rows_at_once(sae: LoadedSae) -> int:
    """Rows whose latents fit into memory together."""
    return max(256, LATENTS_AT_ONCE // sae.d_sae)


def measure_reconstruction(
    sae: LoadedSae, corpus: Corpus, held_out: Bool[np.ndarray, " texts"]
) -> tuple[dict[str, float], Float[Tensor, " d_sae"]]:
    """Explained variance and L0 on held-out texts; dead latents and frequencies on all texts.

    explained_variance is 1 - sum |x - x'|^2 / sum |x - mean|^2; l0 the mean number of latents that
    fire on a token; dead_fraction the share of latents that fire on no token of the corpus.

    Returns:
        The three measures, and the share of the corpus's tokens on which each latent fires.
    """
    used = torch.from_numpy(corpus.used)
    tested = used & torch.from_numpy(held_out[corpus.text_of_row])
    fired = torch.zeros(sae.d_sae, dtype=torch.int64)
    total, squares, residue, active = torch.zeros(sae.d_in).double(), 0.0, 0.0, 0
    batches = Progress(corpus.batches(rows_at_once(sae)), "measure SAE", unit="batch")
    for where, x in batches:
        latents = sae.encode(x)
        fired += (latents[used[where]] > 0).sum(0)
        test = tested[where]
        x, latents = x[test].double(), latents[test]
        active += int((latents > 0).sum())
        total += x.sum(0)
        squares += float(x.square().sum())
        residue += float((x - sae.decode(latents, like=x.float()).double()).square().sum())
    rows = int(tested.sum())
    variance = squares - float(total.square().sum()) / rows
    measures = {
        "explained_variance": 1 - residue / variance,
        "l0": active / rows,
        "dead_fraction": float((fired == 0).double().mean()),
    }
    return measures, fired.double() / int(used.sum())


def ce_loss_recovered(
    model: Any,
    sae: LoadedSae,
    texts: Sequence[TokenIds],
    pad_id: int,
    batch_tokens: int = 8192,
    sinks: Sinks = "exclude",
) -> dict[str, float]:
    """Next-token loss (nats per token) with the SAE's reconstruction in the stream's place.

    ce_loss_recovered is (zero - sae) / (zero - clean), where `zero` replaces the stream by 0: 1 if
    the reconstruction changes nothing, 0 if it is as bad as nothing (SAELens's ce_loss_score).
    Attention sinks keep their stream in both, unless they count.
    """
    replacements = {
        "clean": lambda stream: stream,
        "sae": lambda stream: reconstruct(sae, stream),
        "zero": torch.zeros_like,
    }
    lengths = np.array([len(ids) for ids in texts])
    sums = dict.fromkeys(replacements, 0.0)
    for batch in plan_batches(lengths, batch_tokens):
        inputs = padded([texts[text] for text in batch], pad=pad_id)
        # Every token that another one of its text follows, and that one.
        row, column = inputs["attention_mask"][:, 1:].nonzero(as_tuple=True)
        following = inputs["input_ids"][row, column + 1]
        for name, by in replacements.items():
            with torch.inference_mode(), replaced_stream(model, sae, by, sinks):
                for part, logits in logits_in_parts(model, inputs, row, column):
                    loss = torch.nn.functional.cross_entropy(
                        logits.float(), following[part].to(logits.device), reduction="sum"
                    )
                    sums[name] += float(loss)
    tokens = int((lengths - 1).sum())
    clean, spliced, zero = (sums[name] / tokens for name in ("clean", "sae", "zero"))
    return {
        "ce_loss": clean,
        "ce_loss_sae": spliced,
        "ce_loss_zero": zero,
        "ce_loss_recovered": (zero - spliced) / (zero - clean),
    }


def warn_of_quality(measures: Mapping[str, Any], which: str = "the SAE") -> list[str]:
    """Log, and return, what makes an SAE's latents no account of the model; nothing of a good one.

    Args:
        measures: those of `measure_reconstruction` and `ce_loss_recovered`.
        which: SAE.
    """
    found = []
    explained, recovered = measures["explained_variance"], measures["ce_loss_recovered"]
    if not explained >= MIN_EXPLAINED:  # nor is NaN
        found.append(
            f"{which} explains {explained:.3g} of the variance of the residual stream on held-out "
            f"texts (below {MIN_EXPLAINED}): its latents do not describe this model here; is it an "
            "SAE of this model, this place and this scale of activations?"
        )
    if not recovered >= MIN_EXPLAINED:
        found.append(
            f"with the reconstruction of {which} in place, {recovered:.3g} of the loss that the "
            f"place is worth is recovered (below {MIN_EXPLAINED}): what the model uses is not in it"
        )
    if measures["dead_fraction"] > MAX_DEAD:
        found.append(
            f"{measures['dead_fraction']:.0%} of the latents of {which} fire on no token of the "
            f"corpus (above {MAX_DEAD:.0%}); train a smaller one, or on more text"
        )
    for warning in found:
        log.warning("warning: %s", warning)
    return found
