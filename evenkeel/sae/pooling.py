"""One activation of each latent for a whole text."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from evenkeel.activations.capture import capture_texts, measure_sinks
from evenkeel.activations.sinks import kept_rows
from evenkeel.models.loading import LoadedModel
from evenkeel.params import Sinks
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.quality import rows_at_once

_TOKENS_OF_A_TEXT = 32
"""A guess, which only sets how many texts go through the model together."""


def texts_at_once(sae: LoadedSae) -> int:
    """Texts that go through the model and the SAE together."""
    return max(1, rows_at_once(sae) // _TOKENS_OF_A_TEXT)


def pooled_activations(
    loaded: LoadedModel,
    sae: LoadedSae,
    texts: Sequence[str],
    pooling: Literal["max", "mean"],
    sinks: Sinks = "exclude",
    number: int = 0,
) -> Float[np.ndarray, "texts d_sae"]:
    """Run texts through the model and the SAE and pool each latent over each text's tokens.

    The first positions, which the SAE was not trained on, and attention sinks are left out, except
    where a text has nothing else.

    Args:
        loaded: the model.
        sae: whose latents.
        texts: all, or some from a multiple of `texts_at_once(sae)` on: a text's activations depend
            in their last bits on those that it goes through the model with.
        pooling: over a text's tokens.
        sinks: whether attention sinks count.
        number: of texts[0] among all, for messages.

    Raises:
        BadInputError: a text is empty or too long, or the SAE does not fit the model.
    """
    place = sae.place
    probe = measure_sinks(loaded.model, [place])[place] if sinks == "exclude" else None
    pooled = np.empty((len(texts), sae.d_sae), dtype=np.float32)
    step = texts_at_once(sae)
    for start in range(0, len(texts), step):
        some = texts[start : start + step]
        lengths = [len(ids) for ids in loaded.encoder.encode_all(some, first=number + start)]
        stream = capture_texts(loaded, some, [place.site], [place.layer], positions="all")[place]
        kept = kept_rows(stream, np.cumsum([0, *lengths]), sinks, probe)
        latents = sae.encode(torch.from_numpy(stream))
        parts = zip(latents.split(lengths), torch.from_numpy(kept).split(lengths), strict=True)
        for row, (text, counted) in enumerate(parts, start=start):
            first = min(sae.first_position, len(text) - 1)
            later = text[first:][counted[first:]]
            used = later if len(later) else text[first:]
            pooled[row] = (used.amax(0) if pooling == "max" else used.mean(0)).numpy()
    return pooled
