"""Shards as tasks: what a worker does, in this process or on another machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evenkeel.activations.capture import (
    Forward,
    measure_sinks,
    measure_widths,
    recording,
    resolve_points,
)
from evenkeel.activations.content import Header, ShardContent
from evenkeel.activations.planning import PlannedShard, read_content
from evenkeel.activations.positions import Probes
from evenkeel.activations.shard_writing import is_complete, write_shard
from evenkeel.activations.storage import ObjectStorage, scratch_folder
from evenkeel.errors import BadInputError
from evenkeel.lock import writing_alone
from evenkeel.models.devices import computing_dtype
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.sites import HookPoint
from evenkeel.params import CaptureParams
from evenkeel.progress import Progress

_WAIT = 120.0
"""Seconds to wait for a worker that counts as dead to let go of its shard."""


class WrongActivationsError(BadInputError):
    """What the model computes cannot be stored, and will not be better the next time."""


@dataclass(frozen=True)
class ModelFolder:
    """A model that workers load: the same folder on every machine."""

    path: Path
    trust_remote_code: bool = False

    def load(self) -> LoadedModel:
        return load_model(self.path, trust_remote_code=self.trust_remote_code)


@dataclass(frozen=True)
class ShardTask:
    """A shard to compute, with its texts where they are in this process."""

    planned: PlannedShard
    content: ShardContent | None = None


@dataclass(frozen=True)
class ShardJob:
    """Writes shards into a folder that all workers share, or into a storage.

    Args:
        work: the folder; with a storage it is the driver's alone.
        params: what is kept.
        model: a loaded one in this process, or the folder to load it from.
        storage: of finished shards and of their texts.
        header: of the store, where it is known already.
        progress: told the number of texts done, in this process.
    """

    work: Path
    params: CaptureParams
    model: LoadedModel | ModelFolder
    storage: ObjectStorage | None = None
    header: Header | None = None
    progress: Progress | None = None

    @contextmanager
    def opened(self) -> Iterator[Callable[[ShardTask], int]]:
        loaded = self.model if isinstance(self.model, LoadedModel) else self.model.load()
        header = self.header or header_of(loaded, self.params)
        points = [HookPoint.of(site, layer) for site, layer, _ in header.points]
        probes = sinks_of(loaded, header)
        with recording(loaded.model, points, self.params.compute_dtype) as forward:

            def work(task: ShardTask) -> int:
                return self._work(task, loaded, header, forward, probes)

            yield work

    def _work(
        self,
        task: ShardTask,
        loaded: LoadedModel,
        header: Header,
        forward: Forward,
        probes: Probes,
    ) -> int:
        """Texts that had to be computed: none if the shard was there."""
        planned, storage = task.planned, self.storage
        if storage is not None and storage.has(planned.object):
            return self._done(planned)
        path = self.work / planned.file if storage is None else scratch_folder() / planned.object
        # A worker that counts as dead may still be writing, in its last moments.
        with writing_alone(path, wait=_WAIT):
            if is_complete(path, planned.identity):
                computed = self._done(planned)
            else:
                content = task.content or self._content(planned, header)
                try:
                    computed = write_shard(path, loaded, content, forward, probes, self._advance)
                except BadInputError as error:
                    raise WrongActivationsError(str(error)) from error
            if storage is not None:
                storage.put(path, planned.object)
                path.unlink()
        return computed

    def _done(self, planned: PlannedShard) -> int:
        self._advance(planned.texts)
        return 0

    def _content(self, planned: PlannedShard, header: Header) -> ShardContent:
        if self.storage is None:
            return read_content(self.work / planned.texts_file, planned, header)
        texts = scratch_folder() / planned.texts_object
        self.storage.get(texts.name, texts)
        content = read_content(texts, planned, header)
        texts.unlink()
        return content

    def _advance(self, texts: int) -> None:
        if self.progress is not None:
            self.progress.update(texts)


def header_of(loaded: LoadedModel, params: CaptureParams) -> Header:
    """What all shards of a store will have in common.

    Raises:
        BadInputError: a site or layer that the model lacks.
    """
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


def sinks_of(loaded: LoadedModel, header: Header) -> Probes:
    """What tells later attention sinks at each point; nothing where sinks count."""
    if header.sinks == "include":
        return {}
    return measure_sinks(
        loaded.model, [HookPoint.of(site, layer) for site, layer, _ in header.points]
    )
