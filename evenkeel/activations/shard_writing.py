"""Compute one shard and give it its name."""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from evenkeel.activations.capture import Forward
from evenkeel.activations.content import ShardContent
from evenkeel.activations.dtypes import to_host
from evenkeel.activations.positions import Probes, selector
from evenkeel.activations.shard import Shard
from evenkeel.activations.shard_file import ShardFile
from evenkeel.errors import BadInputError
from evenkeel.models.batching import padded, plan_batches
from evenkeel.models.devices import input_device
from evenkeel.models.loading import LoadedModel

_WAITING_BATCHES = 2


def write_shard(
    path: Path,
    loaded: LoadedModel,
    content: ShardContent,
    forward: Forward,
    probes: Probes,
    progress: Callable[[int], object],
) -> int:
    """Compute what is missing of a shard and give it its name.

    Args:
        path: of the shard; the unfinished one lies beside it.
        loaded: the model.
        content: texts of the shard.
        forward: what `recording` yields for the points of the shard's header.
        probes: of attention sinks at these points.
        progress: told the number of texts done.

    Returns:
        The number of texts that were computed; an earlier run may have left others.

    Raises:
        BadInputError: a value is not finite, or the rows' fields cannot be stored.
        OSError: the disk is full.
    """
    path.parent.mkdir(exist_ok=True)
    header = content.header
    part = path.with_suffix(".part")
    lengths = np.array([len(ids) for ids in content.ids])
    pending: deque[Future[None]] = deque()
    computed = 0
    beside = _has_spare_core(input_device(loaded.model).type)
    with ShardFile(part, content) as file, ThreadPoolExecutor(1) as writer:
        for batch in plan_batches(lengths, header.batch_tokens):
            if not file.holds(batch):
                rows = [content.ids[text] for text in batch]
                ids = padded(rows, pad=loaded.tokenizer.pad_token_id)["input_ids"]
                inside = torch.from_numpy(lengths[batch])
                kept = selector(inside, header.positions, header.sinks, probes)
                activations = forward(ids, kept)
                if len(pending) == _WAITING_BATCHES:
                    pending.popleft().result()
                arrays = to_host(activations, header.dtype)
                if beside:
                    pending.append(writer.submit(file.write, batch, arrays))
                else:
                    file.write(batch, arrays)
                computed += len(batch)
            progress(len(batch))
        for written in pending:
            written.result()
        file.finish()
    part.replace(path)
    _flush_folder(path.parent)
    return computed


def is_complete(path: Path, identity: str) -> bool:
    """Whether a whole shard of that identity is at `path`."""
    if not path.exists():
        return False
    try:
        shard = Shard.open(path)
    except BadInputError:  # damaged since it was written
        return False
    try:
        return shard.identity == identity
    finally:
        shard.close()


def _flush_folder(folder: Path) -> None:
    """Return when the new name is on the disk: other machines act on what is said to be done."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _has_spare_core(device: str) -> bool:
    """Whether a thread can write while the model computes, without taking a core from it.

    The threads of a product wait for the slowest of them: one that shares its core with a writer
    costs twice the time that the writer takes.
    """
    if device != "cpu":
        return True
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return torch.get_num_threads() < cores
