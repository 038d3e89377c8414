"""From texts to token ids."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel

TokenIds = Int[np.ndarray, " tokens"]


def encode(loaded: LoadedModel, texts: Sequence[str], first: int = 0) -> list[TokenIds]:
    """Token ids (int32) of each text, with the special tokens that the tokenizer adds by itself.

    Args:
        loaded: the model and its tokenizer.
        texts: what to encode.
        first: number of texts[0] in the whole set, for messages.

    Raises:
        BadInputError: a text has no tokens, or more than the model can read. Nothing is truncated:
            the last token of a truncated text would stand for a sentence that it does not end.
    """
    if not texts:
        return []
    encoded = loaded.tokenizer(list(texts), return_attention_mask=False, verbose=False)["input_ids"]
    config = loaded.model.config.get_text_config()
    context = getattr(config, "max_position_embeddings", None)
    for number, ids in enumerate(encoded, start=first):
        if not ids:
            raise BadInputError(f"text {number} (from 0) is empty; remove it")
        if context is not None and len(ids) > context:
            raise BadInputError(
                f"text {number} (from 0) has {len(ids)} tokens, but {loaded.name} reads at most "
                f"{context}; shorten or split it: {texts[number - first][:60]!r}..."
            )
    return [np.asarray(ids, dtype=np.int32) for ids in encoded]


def pad(ids: Sequence[TokenIds], pad_id: int) -> Int[Tensor, "texts length"]:
    """One tensor of texts of different lengths.

    Padding is on the right, after the text's end, where a causal model cannot see it: activations
    of the text's own tokens do not depend on it, and no mask is needed.
    """
    padded = np.full((len(ids), max(map(len, ids))), pad_id, dtype=np.int64)
    for row, text_ids in zip(padded, ids, strict=True):
        row[: len(text_ids)] = text_ids
    return torch.from_numpy(padded)
