"""Reading log P(token | everything before it) out of a causal model, at chosen places only."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from evenkeel.errors import BadInputError


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
    positions: Int[ndarray, " kept"]
    """Positions whose logits are kept: each predicts the token that follows."""
    row: Int[ndarray, " reads"]
    column: Int[ndarray, " reads"]
    """Index into `positions`."""
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
        positions, column = np.unique(reads.position[own] - 1, return_inverse=True)
        batches.append(
            ReadBatch(
                inputs=padded([rows[index] for index in members]),
                positions=positions,
                row=place_in_batch[reads.row[own]],
                column=column,
                token=reads.token[own],
                place=own + offset,
            )
        )
    return batches


@torch.inference_mode()
def read_batch(model: nn.Module, batch: ReadBatch) -> Float[ndarray, " reads"]:
    """Natural log-probability of each token read from one forward pass, in float64."""
    logits = logits_at(model, batch.inputs, batch.positions).float()
    row, column, token = map(torch.from_numpy, (batch.row, batch.column, batch.token))
    log_probs = logits[row, column, token] - logits.logsumexp(dim=-1)[row, column]
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
    model: nn.Module, inputs: dict[str, Tensor], positions: Int[ndarray, " kept"]
) -> Float[Tensor, "rows kept vocab"]:
    """Logits of a padded batch at `positions` of every row.

    Where the architecture allows it, the unembedding runs on these positions only.
    """
    device = next(model.parameters()).device
    keep = torch.from_numpy(positions).to(device)
    batch = {name: tensor.to(device) for name, tensor in inputs.items()}
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        return model(**batch, use_cache=False, logits_to_keep=keep).logits
    return model(**batch, use_cache=False).logits[:, keep]


def text_reads(rows: Sequence[Sequence[int]], unscored: Sequence[int]) -> Reads:
    """Reads of every token of each row but the `unscored` first ones, at least one of them."""

    def places() -> Iterator[tuple[int, int, int]]:
        for index, (row, first) in enumerate(zip(rows, unscored, strict=True)):
            for position in range(first, len(row)):
                yield index, position, row[position]

    table = np.array(list(places()), dtype=np.int64).reshape(-1, 3)
    return Reads(table[:, 0], table[:, 1], table[:, 2])
