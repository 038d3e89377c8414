"""Compute the activations of a text set and write them as a store."""

import errno
import os
import shutil
from collections import deque
from collections.abc import Iterable, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from evenkeel.activations.capture import (
    Forward,
    measure_sinks,
    measure_widths,
    recording,
    resolve_points,
)
from evenkeel.activations.columns import Row
from evenkeel.activations.content import Header, ShardContent, cut_into_shards
from evenkeel.activations.dtypes import to_host
from evenkeel.activations.manifest import ShardEntry, publish
from evenkeel.activations.positions import Probes, selector
from evenkeel.activations.shard import Shard
from evenkeel.activations.shard_file import ShardFile
from evenkeel.activations.space import disk_full, refuse_if_too_large
from evenkeel.errors import BadInputError
from evenkeel.files import work_folder
from evenkeel.files.outputs import explained
from evenkeel.lock import writing_alone
from evenkeel.models.batching import padded, plan_batches
from evenkeel.models.devices import computing_dtype, input_device
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import CaptureParams, Sinks
from evenkeel.progress import Progress

SHARD_BYTES = 4 * 2**30
"""Activations in one file; a larger store becomes a folder of such files."""
_WAITING_BATCHES = 2
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class StoreSummary:
    """What was written."""

    texts: int
    tokens: int
    rows: int
    bytes: int
    shards: int
    sinks: Sinks
    """Whether attention sinks are left out of what is made from it."""
    later_sinks: tuple[str, ...]
    """Where others than first tokens are, too, as in resid_post/3; of none if they count."""


def write_store(
    path: Path,
    loaded: LoadedModel,
    texts: Iterable[Row],
    params: CaptureParams,
    shard_bytes: int = SHARD_BYTES,
) -> StoreSummary:
    """Run texts through a model and keep the activations asked for, all sites in one pass.

    Memory holds one shard's texts and three batches' activations, whatever the number of texts.
    While it is written, the store lies in a hidden folder beside `path`; a run that was killed goes
    on where it was, and its result is byte for byte that of an undisturbed one.

    Args:
        path: a file, which becomes a folder of files if it would pass `shard_bytes`.
        loaded: the model.
        texts: rows with a field `text`; read once, in order. If it has a length, the disk space is
            estimated from it before anything is computed.
        params: what to keep of which positions, as which type.
        shard_bytes: size limit of a file.

    Raises:
        BadInputError: no texts, a text that is empty or too long, rows with different fields, a
            site or layer that the model lacks, a value that is not finite or too large for float16,
            too little disk, or another process is writing the same store.
    """
    header = _header(loaded, params)
    path.parent.mkdir(parents=True, exist_ok=True)
    total = len(texts) if isinstance(texts, Sized) else None
    if params.max_texts is not None:
        texts = islice(texts, params.max_texts)
        total = None if total is None else min(total, params.max_texts)
    work = work_folder(path)
    with explained(path), writing_alone(path):
        entries: list[ShardEntry] = []
        points = [HookPoint.of(site, layer) for site, layer, _ in header.points]
        probes = measure_sinks(loaded.model, points) if header.sinks == "exclude" else {}
        with (
            Progress(total=total, unit=" texts") as progress,
            recording(loaded.model, points, params.compute_dtype) as forward,
        ):
            for content in cut_into_shards(loaded, texts, header, shard_bytes):
                shard = work / f"{len(entries):05d}.h5"
                _check_space(path, shard, content, total)
                try:
                    _write_shard(shard, loaded, content, forward, probes, progress)
                except BadInputError:
                    # What the model computes will not be better the next time.
                    shutil.rmtree(work)
                    raise
                except OSError as error:
                    if error.errno in _FULL:
                        raise disk_full(path) from error
                    raise
                entries.append(_entry(shard, content))
        if not entries:
            raise BadInputError(f"no texts to cache in {path}")
        publish(work, path, entries)
    texts_written = sum(entry.texts for entry in entries)
    tokens = sum(entry.tokens for entry in entries)
    return StoreSummary(
        texts=texts_written,
        tokens=tokens,
        rows=tokens if header.positions == "all" else texts_written,
        bytes=sum(entry.bytes for entry in entries),
        shards=len(entries),
        sinks=header.sinks,
        later_sinks=tuple(
            f"{point.site}/{point.layer}" for point, probe in probes.items() if probe is not None
        ),
    )


def _header(loaded: LoadedModel, params: CaptureParams) -> Header:
    points = resolve_points(loaded.model, params.sites, params.layers)
    widths = measure_widths(loaded.model, points)
    return Header(
        model=loaded.name,
        revision=loaded.revision,
        fingerprint=loaded.fingerprint,
        tokenizer_hash=loaded.tokenizer_hash,
        positions=params.positions,
        sinks=params.sinks,
        dtype=params.dtype,
        compute_dtype=params.compute_dtype
        or str(computing_dtype(loaded.model)).removeprefix("torch."),
        batch_tokens=params.batch_tokens,
        points=tuple((point.site, point.layer, widths[point]) for point in points),
    )


def _check_space(path: Path, shard: Path, content: ShardContent, total: int | None) -> None:
    """Estimate what is still to come from this shard, less what an earlier run wrote of it."""
    texts = len(content.ids)
    remaining = texts if total is None else total - content.first_text
    size = content.rows * content.header.row_bytes * remaining // texts
    later = [file for file in shard.parent.glob("*") if file.stem >= shard.stem]
    refuse_if_too_large(path, size - sum(file.stat().st_size for file in later))


def _write_shard(
    path: Path,
    loaded: LoadedModel,
    content: ShardContent,
    forward: Forward,
    probes: Probes,
    progress: Progress,
) -> None:
    """Compute what is missing of a shard and give it its name."""
    if _is_complete(path, content):
        progress.update(len(content.ids))
        return
    path.parent.mkdir(exist_ok=True)
    header = content.header
    part = path.with_suffix(".part")
    lengths = np.array([len(ids) for ids in content.ids])
    pending: deque[Future[None]] = deque()
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
            progress.update(len(batch))
        for written in pending:
            written.result()
        file.finish()
    part.replace(path)


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


def _is_complete(path: Path, content: ShardContent) -> bool:
    if not path.exists():
        return False
    try:
        shard = Shard.open(path)
    except BadInputError:  # damaged since it was written
        return False
    try:
        return shard.identity == content.identity
    finally:
        shard.close()


def _entry(path: Path, content: ShardContent) -> ShardEntry:
    return ShardEntry(
        file=path.name,
        texts=len(content.ids),
        tokens=content.tokens,
        bytes=path.stat().st_size,
        identity=content.identity,
    )
