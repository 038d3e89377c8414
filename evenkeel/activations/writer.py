"""Compute the activations of a text set and write them as a store."""

import errno
import shutil
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from evenkeel.activations.columns import Row
from evenkeel.activations.content import Header, ShardContent, cut_into_shards
from evenkeel.activations.manifest import ShardEntry, publish
from evenkeel.activations.planning import Plan, PlannedShard, planned, write_texts
from evenkeel.activations.shard_job import (
    ModelFolder,
    ShardJob,
    ShardTask,
    WrongActivationsError,
    header_of,
    sinks_of,
)
from evenkeel.activations.shard_writing import is_complete
from evenkeel.activations.space import disk_full, refuse_if_too_large
from evenkeel.activations.storage import ObjectStorage
from evenkeel.errors import BadInputError
from evenkeel.execution.job import Executor
from evenkeel.execution.local import InProcess
from evenkeel.files import work_folder
from evenkeel.files.outputs import explained
from evenkeel.lock import writing_alone
from evenkeel.models.loading import LoadedModel
from evenkeel.params import CaptureParams, Sinks
from evenkeel.progress import Progress

SHARD_BYTES = 4 * 2**30
"""Activations in one file; a larger store becomes a folder of such files."""
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


@dataclass(frozen=True)
class Workers:
    """Who computes the shards, and what they have in common."""

    executor: Executor = field(default_factory=InProcess)
    model: ModelFolder | None = None
    """Where workers in other processes load the model; the same folder on every machine."""
    storage: ObjectStorage | None = None
    """Where shards are put; None for the folder beside the store, which all machines share."""


ALONE = Workers()


def write_store(
    path: Path,
    loaded: LoadedModel,
    texts: Iterable[Row],
    params: CaptureParams,
    shard_bytes: int = SHARD_BYTES,
    workers: Workers = ALONE,
) -> StoreSummary:
    """Run texts through a model and keep the activations asked for, all sites in one pass.

    Memory holds one shard's texts and three batches' activations, whatever the number of texts.
    While it is written, the store lies in a hidden folder beside `path`; a run that was killed goes
    on where it was, and its result is byte for byte that of an undisturbed one, whoever computes.

    Args:
        path: a file, which becomes a folder of files if it would pass `shard_bytes`.
        loaded: the model.
        texts: rows with a field `text`; read once, in order. If it has a length, the disk space is
            estimated from it before anything is computed.
        params: what to keep of which positions, as which type.
        shard_bytes: size limit of a file.
        workers: who computes.

    Raises:
        BadInputError: no texts, a text that is empty or too long, rows with different fields, a
            site or layer that the model lacks, a value that is not finite or too large for float16,
            too little disk, another process is writing the same store, or no worker is left.
    """
    header = header_of(loaded, params)
    work = work_folder(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with explained(path), writing_alone(path):
        sinks = sinks_of(loaded, header)
        texts, total = _limited(texts, params)
        with Progress(total=total, unit=" texts") as progress:
            done: list[PlannedShard] = []
            job = _job(work, loaded, params, workers, header, progress)
            contents = cut_into_shards(loaded, texts, header, shard_bytes)
            tasks = shard_tasks(path, contents, total, workers)
            try:
                for task, _ in workers.executor.run(job, tasks):
                    done.append(task.planned)
                    if workers.executor.apart:
                        progress.update(task.planned.texts)
                        (work / task.planned.texts_file).unlink(missing_ok=True)
            except WrongActivationsError:
                shutil.rmtree(work)
                raise
            except OSError as error:
                if error.errno in _FULL:
                    raise disk_full(path) from error
                raise
        if not done:
            raise BadInputError(f"no texts to cache in {path}")
        done.sort(key=lambda shard: shard.number)
        entries = [_merged(work, shard, workers.storage) for shard in done]
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
            f"{point.site}/{point.layer}" for point, probe in sinks.items() if probe is not None
        ),
    )


def plan_store(
    path: Path,
    loaded: LoadedModel,
    texts: Iterable[Row],
    params: CaptureParams,
    shard_bytes: int = SHARD_BYTES,
) -> Plan:
    """Cut texts into shards, and leave what each needs for `write_planned`; compute nothing.

    Args: as of `write_store`.

    Raises:
        BadInputError: as `write_store`.
    """
    header = header_of(loaded, params)
    work = work_folder(path)
    texts, total = _limited(texts, params)
    path.parent.mkdir(parents=True, exist_ok=True)
    with explained(path), writing_alone(path):
        work.mkdir(exist_ok=True)
        shards: list[PlannedShard] = []
        contents = cut_into_shards(loaded, texts, header, shard_bytes)
        with Progress(total=total, unit=" texts") as progress:
            for shard, content in planned(contents):
                if not shards:
                    _check_space(path, work / shard.file, content, total)
                write_texts(work / shard.texts_file, content)
                shards.append(shard)
                progress.update(shard.texts)
        if not shards:
            raise BadInputError(f"no texts to cache in {path}")
        plan = Plan(shards=tuple(shards))
        plan.save(work)
    return plan


def write_planned(path: Path, loaded: LoadedModel, params: CaptureParams, number: int) -> int:
    """Compute one shard of a plan, in this process; any number of processes may do so.

    Args:
        path: the store.
        loaded: the model.
        params: those of the plan.
        number: of the shard, from 0.

    Returns:
        The number of texts that were computed: none if the shard was there.

    Raises:
        BadInputError: nothing is planned, the plan has no such shard, or was made with another
            model or other parameters; or as `write_store`.
    """
    work = work_folder(path)
    shards = Plan.load(work).shards
    if not 0 <= number < len(shards):
        raise BadInputError(f"--shard {number}: the plan has shards 0 to {len(shards) - 1}")
    shard = shards[number]
    with (
        explained(path),
        Progress(total=shard.texts, unit=" texts") as progress,
        ShardJob(work, params, loaded, progress=progress).opened() as compute,
    ):
        return compute(ShardTask(shard))


def _limited(texts: Iterable[Row], params: CaptureParams) -> tuple[Iterable[Row], int | None]:
    """The texts that are to be kept, and how many they are where that is known."""
    total = len(texts) if isinstance(texts, Sized) else None
    if params.max_texts is not None:
        texts = islice(texts, params.max_texts)
        total = None if total is None else min(total, params.max_texts)
    return texts, total


def _job(
    work: Path,
    loaded: LoadedModel,
    params: CaptureParams,
    workers: Workers,
    header: Header,
    progress: Progress,
) -> ShardJob:
    if not workers.executor.apart:
        return ShardJob(work, params, loaded, workers.storage, header, progress)
    if workers.model is None:
        raise BadInputError("workers in other processes need the folder of the model")
    return ShardJob(work.resolve(), params, workers.model, workers.storage)


def shard_tasks(
    path: Path, contents: Iterable[ShardContent], total: int | None, workers: Workers
) -> Iterator[ShardTask]:
    """A task a shard, its texts beside it or where other processes find them."""
    work = work_folder(path)
    for shard, content in planned(contents):
        _check_space(path, work / shard.file, content, total)
        if not workers.executor.apart:
            yield ShardTask(shard, content)
            continue
        texts = work / shard.texts_file
        write_texts(texts, content)
        if workers.storage is not None:
            workers.storage.put(texts, shard.texts_object)
        yield ShardTask(shard)


def _check_space(path: Path, shard: Path, content: ShardContent, total: int | None) -> None:
    """Estimate what is still to come from this shard, less what an earlier run wrote of it."""
    texts = len(content.ids)
    remaining = texts if total is None else total - content.first_text
    size = content.rows * content.header.row_bytes * remaining // texts
    later = [file for file in shard.parent.glob("*") if file.stem >= shard.stem]
    refuse_if_too_large(path, size - sum(file.stat().st_size for file in later))


def _merged(work: Path, shard: PlannedShard, storage: ObjectStorage | None) -> ShardEntry:
    """A finished shard, fetched if it lies in a storage, and seen to be the one that was planned.

    Raises:
        BadInputError: it is another one.
    """
    file = work / shard.file
    if storage is not None and not (file.exists() and is_complete(file, shard.identity)):
        storage.get(shard.object, file)
    if not is_complete(file, shard.identity):
        raise BadInputError(
            f"{file}: not the shard that was planned, though its worker said so; is the folder "
            "the same on all machines? Run the same command again"
        )
    return ShardEntry(
        file=file.name,
        texts=shard.texts,
        tokens=shard.tokens,
        bytes=file.stat().st_size,
        identity=shard.identity,
    )
