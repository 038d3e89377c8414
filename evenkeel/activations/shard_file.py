"""A shard while it is filled."""

import mmap
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from jaxtyping import Int, Shaped

from evenkeel.activations.checksums import row_checksums
from evenkeel.activations.content import ShardContent
from evenkeel.activations.dtypes import STORED, refuse_not_finite
from evenkeel.activations.layout import Places, attributes_of, create_shard, places_of
from evenkeel.models.sites import HookPoint

Texts = Int[np.ndarray, " batch"]
_FLUSH_BYTES = 32 << 20


class ShardFile:
    """Takes activations in any order of texts and puts each row in its place.

    A row counts as written when it matches its checksum, so there is no journal that could
    disagree with the data: a run that was killed asks `holds` and computes what is missing.
    """

    def __init__(self, path: Path, content: ShardContent) -> None:
        """Take up the file that an earlier run left at `path`, or make it.

        Raises:
            OSError: the disk is full.
        """
        header = content.header
        self._header = header
        self._content = content
        places = _places_in(path, content)
        if places is None:
            new = path.with_suffix(".new")
            places = create_shard(new, content)
            new.replace(path)
        texts = len(content.ids)
        every_token = header.positions == "all"
        self._bounds = content.offsets() if every_token else np.arange(texts + 1)
        self._places = places
        self._file = path.open("r+b")
        # A disk that is too small shows now, and not hours later.
        _allocate(self._file.fileno(), path.stat().st_size)
        # Mapped, so that a checksum outlives this process as soon as it is assigned.
        self._map = mmap.mmap(self._file.fileno(), 0)
        shape = (len(header.points), int(self._bounds[-1]))
        count = shape[0] * shape[1]
        self._checksums = np.frombuffer(self._map, "<u4", count, places.checksums).reshape(shape)
        self._flusher = ThreadPoolExecutor(1)
        self._flushed: Future[None] | None = None
        self._unflushed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._flusher.shutdown()
        del self._checksums
        self._map.close()
        self._file.close()

    def write(
        self, texts: Texts, activations: dict[HookPoint, Shaped[np.ndarray, "rows width"]]
    ) -> None:
        """Put the rows of `texts`, one text after the other, in their places.

        Raises:
            BadInputError: a value is not finite.
            OSError: the disk is full.
        """
        rows, owners = self._rows_of(texts)
        for index, (site, layer, _) in enumerate(self._header.points):
            point = HookPoint.of(site, layer)
            values = np.ascontiguousarray(activations[point])
            first = self._content.first_text
            refuse_not_finite(values, self._header.dtype, str(point), first + owners)
            self._move(os.pwrite, point, texts, values)
            self._checksums[index, rows] = row_checksums(values)
            self._unflushed += values.nbytes
        self._flush_meanwhile()

    def holds(self, texts: Texts) -> bool:
        """Whether all rows of `texts` were written, by this run or an earlier one."""
        rows, _ = self._rows_of(texts)
        expected = self._checksums[:, rows]
        if not expected.all():
            return False
        for index, (site, layer, width) in enumerate(self._header.points):
            values = np.empty((len(rows), width), STORED[self._header.dtype])
            self._move(_pread_into, HookPoint.of(site, layer), texts, values)
            if not np.array_equal(row_checksums(values), expected[index]):
                return False
        return True

    def finish(self) -> None:
        """Return when all is on the disk.

        Raises:
            OSError: it could not be written.
        """
        if self._flushed is not None:
            self._flushed.result()
        os.fsync(self._file.fileno())

    def _flush_meanwhile(self) -> None:
        """Keep the disk busy while the model computes, so that `finish` has little to wait for."""
        if self._unflushed < _FLUSH_BYTES or (self._flushed and not self._flushed.done()):
            return
        if self._flushed is not None:
            self._flushed.result()
        self._flushed = self._flusher.submit(os.fdatasync, self._file.fileno())
        self._unflushed = 0

    def _rows_of(self, texts: Texts) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
        """The rows of some texts, and the text that each belongs to."""
        counts = self._bounds[texts + 1] - self._bounds[texts]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(self._bounds[texts], counts) + within, np.repeat(texts, counts)

    def _move(
        self,
        transfer: Callable[[int, memoryview, int], int],
        point: HookPoint,
        texts: Texts,
        values: Shaped[np.ndarray, "rows width"],
    ) -> None:
        """Transfer each text's rows between `values` and their place in the file."""
        row_bytes = values.shape[1] * values.itemsize
        data = values.data.cast("B")
        begin = 0
        for start, stop in zip(self._bounds[texts], self._bounds[texts + 1], strict=True):
            end = begin + int(stop - start) * row_bytes
            offset = self._places.points[point] + int(start) * row_bytes
            while begin < end:
                moved = transfer(self._file.fileno(), data[begin:end], offset)
                begin, offset = begin + moved, offset + moved


def _pread_into(descriptor: int, data: memoryview, offset: int) -> int:
    return os.preadv(descriptor, [data], offset)


def _allocate(descriptor: int, size: int) -> None:
    """Have the file system set all bytes of a file aside."""
    if hasattr(os, "posix_fallocate"):  # not on macOS, where a full disk shows when it is full
        os.posix_fallocate(descriptor, 0, size)


def _places_in(path: Path, content: ShardContent) -> Places | None:
    """Places in the file that an earlier run left, None if there is none or it is of another."""
    try:
        with h5py.File(path, "r") as file:
            if attributes_of(file).get("identity") != content.identity:
                return None
            return places_of(file, content.header)
    except (OSError, RuntimeError, KeyError, ValueError):  # not there, or damaged
        return None
