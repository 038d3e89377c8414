"""Reading log P(token | everything before it) out of a causal model, at chosen places only."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from evenkeel.errors import BadInputError
from evenkeel.models.devices import input_device

_NORMALIZED_TOGETHER = 2**19
"""Logits whose sum is taken at once: few enough to stay in a processor's cache."""


@dataclass(frozen=True)
class Reads:
    """Which tokens to read: token `token[i]`, standing at `position[i]` of row `row[i]`."""

    row: Int[ndarray, " reads"]
    position: Int[ndarray, " reads"]
    token: Int[ndarray, " reads"]


def context_length(model: nn.Module) -> int | None:
    """Most tokens that the model was made for; None where its config does not say."""
    return getattr(model.config, "max_position_embeddings", None)


def length_sorted(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Indices in batches of like length, so that little of a batch is padding."""
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def padded(rows: Sequence[Sequence[int]], *, pad: int = 0, left: bool = False) -> dict[str, Tensor]:
    """Token ids and attention mask of a batch.

    A forward pass pads on the right: a causal model then needs neither position ids nor a mask to
    give a row the logits that it has alone. Generation has to pad on the left.
    """
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        where = slice(width - len(row), None) if left else slice(0, len(row))
        ids[index, where] = torch.tensor(row, dtype=torch.long)
        mask[index, where] = 1
    return {"input_ids": ids, "attention_mask": mask}


@dataclass(frozen=True, eq=False)
class ReadBatch:
    """One forward pass and what is read from it; made once, run on as many models as needed."""

    inputs: dict[str, Tensor]
    """Token ids and attention mask, on the CPU."""
    row: Int[ndarray, " places"]
    column: Int[ndarray, " places"]
    """With `row`: the places whose logits are asked, each once; they predict the next token."""
    at: Int[ndarray, " reads"]
    """Which of these places is read."""
    token: Int[ndarray, " reads"]
    place: Int[ndarray, " reads"]
    """Where the reads stand in the result of all batches."""


def read_batches(
    rows: Sequence[Sequence[int]], reads: Reads, batch_size: int, *, offset: int = 0
) -> list[ReadBatch]:
    """Split reads into forward passes of like length.

    Args:
        rows: token ids; they need not include the last token of a text, whose logits nobody reads.
        reads: tokens to read; a position counts from 0, and position 0 has no context to be
            predicted from.
        batch_size: rows in a forward pass.
        offset: added to every place, where several sets of reads share one result.
    """
    assert reads.position.size == 0 or reads.position.min() >= 1
    batches = []
    for members in length_sorted([len(row) for row in rows], batch_size):
        place_in_batch = np.full(len(rows), -1)
        place_in_batch[members] = np.arange(len(members))
        own = np.flatnonzero(place_in_batch[reads.row] >= 0)
        if not own.size:
            continue
        inputs = padded([rows[index] for index in members])
        shape = inputs["input_ids"].shape
        flat = np.ravel_multi_index(
            (place_in_batch[reads.row[own]], reads.position[own] - 1), shape
        )
        places, at = np.unique(flat, return_inverse=True)
        row, column = np.unravel_index(places, shape)
        batches.append(
            ReadBatch(
                inputs=inputs,
                row=row,
                column=column,
                at=at,
                token=reads.token[own],
                place=own + offset,
            )
        )
    return batches


@torch.inference_mode()
def read_batch(model: nn.Module, batch: ReadBatch) -> Float[ndarray, " reads"]:
    """Natural log-probability of each token read from one forward pass, in float64."""
    row, column, at, token = map(torch.from_numpy, (batch.row, batch.column, batch.at, batch.token))
    logits = logits_at(model, batch.inputs, row, column)
    parts = logits.split(max(1, _NORMALIZED_TOGETHER // logits.shape[-1]))
    totals = torch.cat([part.float().logsumexp(dim=-1) for part in parts])
    log_probs = logits[at, token].float() - totals[at]
    return log_probs.double().cpu().numpy()


def read_log_probs(model: nn.Module, batches: Sequence[ReadBatch]) -> Float[ndarray, " reads"]:
    """Natural log-probability of each token read, in the order of the reads.

    The same whatever the batch size: rows are padded on the right, where a causal model cannot see.
    """
    result = np.empty(sum(len(batch.place) for batch in batches))
    for batch in batches:
        result[batch.place] = read_batch(model, batch)
    return result


def check_fits(model: nn.Module, rows: Sequence[Sequence[int]]) -> None:
    """Refuse rows that the model has no positions for.

    Raises:
        BadInputError: a row is longer than the model's context.
    """
    limit = context_length(model)
    longest = max(map(len, rows), default=0)
    if limit is not None and longest > limit:
        raise BadInputError(
            f"a text of {longest} tokens does not fit the model's context of {limit}; shorten it"
        )


def logits_at(
    model: Any,
    inputs: dict[str, Tensor],
    row: Int[Tensor, " places"],
    column: Int[Tensor, " places"],
) -> Float[Tensor, "places vocab"]:
    """Logits of a padded batch at some places.

    Where the model has an unembedding of its own, that runs on these places only.
    """
    device = input_device(model)
    batch = {name: tensor.to(device) for name, tensor in inputs.items()}
    unembedding = getattr(model, "get_output_embeddings", lambda: None)()
    with (
        unembedding.register_forward_pre_hook(lambda _module, args: args[0][row, column])
        if unembedding is not None and unembedding is not model.get_input_embeddings()
        else nullcontext()
    ):
        logits: Tensor = model(**batch, use_cache=False).logits
    # A model may have an unembedding that it does not call.
    return logits if logits.dim() == 2 else logits[row, column]


def text_reads(rows: Sequence[Sequence[int]], unscored: Sequence[int]) -> Reads:
    """Reads of every token of each row but the `unscored` first ones, at least one of them."""

    def places() -> Iterator[tuple[int, int, int]]:
        for index, (row, first) in enumerate(zip(rows, unscored, strict=True)):
            for position in range(first, len(row)):
                yield index, position, row[position]

    table = np.array(list(places()), dtype=np.int64).reshape(-1, 3)
    return Reads(table[:, 0], table[:, 1], table[:, 2])
