"""Reading log P(token | everything before it) out of a causal model, at chosen places only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from evenkeel.errors import BadInputError
from evenkeel.models.batching import context_length, length_sorted, padded
from evenkeel.models.logits import logits_in_parts
from evenkeel.progress import Progress

_NORMALIZED_TOGETHER = 2**19
"""Logits whose sum is taken at once: few enough to stay in a processor's cache."""


@dataclass(frozen=True)
class Reads:
    """Which tokens to read: token `token[i]`, standing at `position[i]` of row `row[i]`."""

    row: Int[ndarray, " reads"]
    position: Int[ndarray, " reads"]
    token: Int[ndarray, " reads"]


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
    row, column = torch.from_numpy(batch.row), torch.from_numpy(batch.column)
    found = np.empty(len(batch.at))
    for part, logits in logits_in_parts(model, batch.inputs, row, column):
        own = np.flatnonzero((batch.at >= part.start) & (batch.at < part.stop))
        at, token = torch.from_numpy(batch.at[own] - part.start), torch.from_numpy(batch.token[own])
        pieces = logits.split(max(1, _NORMALIZED_TOGETHER // logits.shape[-1]))
        totals = torch.cat([piece.float().logsumexp(dim=-1) for piece in pieces])
        found[own] = (logits[at, token].float() - totals[at]).double().cpu().numpy()
    return found


def read_log_probs(
    model: nn.Module, batches: Sequence[ReadBatch], title: str | None = None
) -> Float[ndarray, " reads"]:
    """Natural log-probability of each token read, in the order of the reads.

    The same whatever the batch size: rows are padded on the right, where a causal model cannot see.

    Args:
        model: that reads.
        batches: what is read.
        title: of the progress; None shows none.
    """
    result = np.empty(sum(len(batch.place) for batch in batches))
    for batch in Progress(batches, title, unit="pass", leave=False) if title else batches:
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


def text_reads(rows: Sequence[Sequence[int]], unscored: Sequence[int]) -> Reads:
    """Reads of every token of each row but the `unscored` first ones, at least one of them."""

    def places() -> Iterator[tuple[int, int, int]]:
        for index, (row, first) in enumerate(zip(rows, unscored, strict=True)):
            for position in range(first, len(row)):
                yield index, position, row[position]

    table = np.array(list(places()), dtype=np.int64).reshape(-1, 3)
    return Reads(table[:, 0], table[:, 1], table[:, 2])
