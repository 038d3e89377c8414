"""Texts of different lengths as batches: which ones go together, and how they are padded."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

MAX_PADDING = 0.05
"""Largest share of a batch's tokens that may be padding, where batches are planned by tokens."""
_CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
"""How configurations of transformers call it."""


def context_length(model: Any) -> int | None:
    """Most tokens that a model was made for; None where its configuration does not say."""
    config = model.config
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    limits = (getattr(config, name, None) for name in _CONTEXT_NAMES)
    limit = next((limit for limit in limits if isinstance(limit, int) and limit > 0), None)
    return limit and limit - _rows_before_positions(model, limit)


def _rows_before_positions(model: Any, limit: int) -> int:
    """Rows of a table of positions that no token of a text has.

    RoBERTa and its kin count positions from behind the row of padding, and call all rows of the
    table max_position_embeddings.
    """
    words = getattr(model, "get_input_embeddings", lambda: None)()
    tables = (
        module
        for module in (model.modules() if isinstance(model, nn.Module) else ())
        if isinstance(module, nn.Embedding) and module is not words
    )
    paddings = (table.padding_idx for table in tables if table.num_embeddings == limit)
    return next((padding + 1 for padding in paddings if padding is not None), 0)


def plan_batches(
    lengths: Int[np.ndarray, " texts"], budget: int
) -> list[Int[np.ndarray, " batch"]]:
    """Group texts of nearly the same length.

    Args:
        lengths: tokens in each text.
        budget: tokens in a batch, padding included. A text longer than it is a batch of its own.

    Returns:
        Indices of the texts of each batch, each text once, the longest first: what does not fit
        into the device's memory fails at once and not after hours.
    """
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        candidates = lengths[order[start : start + max(1, budget // longest)]]
        padded = longest * np.arange(1, len(candidates) + 1)
        # Lengths only fall, so the share of padding only grows: the last that fits ends the batch.
        fits = padded - np.cumsum(candidates) <= MAX_PADDING * padded
        size = int(np.count_nonzero(fits))
        batches.append(order[start : start + size])
        start += size
    return batches


def length_sorted(
    lengths: Sequence[int], batch_size: int, most_tokens: int | None = None
) -> list[list[int]]:
    """Indices in batches of like length, the shortest first, so that little of a batch is padding.

    Args:
        lengths: tokens in each text.
        batch_size: most texts in a batch.
        most_tokens: most tokens in a batch, padding included; a longer text is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    batches: list[list[int]] = []
    for index in order:
        last = batches[-1] if batches else []
        full = len(last) == batch_size or (
            most_tokens is not None and (len(last) + 1) * lengths[index] > most_tokens
        )
        if not last or full:
            batches.append([index])
        else:
            last.append(index)
    return batches


def padded(
    rows: Sequence[Sequence[int] | Int[np.ndarray, " tokens"]],
    *,
    pad: int = 0,
    left: bool = False,
    device: torch.device | str = "cpu",
) -> dict[str, Tensor]:
    """Token ids and attention mask of a batch, on a device.

    A forward pass pads on the right: a causal model then needs neither position ids nor a mask to
    give a row the logits that it has alone. Generation has to pad on the left.
    """
    width = max(map(len, rows))
    ids = np.full((len(rows), width), pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        where = slice(width - len(row), None) if left else slice(0, len(row))
        ids[index, where] = row
        mask[index, where] = 1
    arrays = {"input_ids": ids, "attention_mask": mask}
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
