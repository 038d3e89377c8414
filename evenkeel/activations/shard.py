"""One HDF5 file of a store, open for reading."""

import os
from functools import cached_property
from pathlib import Path
from typing import Self

import h5py
import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from evenkeel.activations.checksums import row_checksums
from evenkeel.activations.columns import Column, digest_of, unpacked
from evenkeel.activations.dtypes import STORED, from_stored
from evenkeel.activations.layout import Places, attributes_of, places_of
from evenkeel.activations.opening import (
    AGAIN,
    Description,
    arrays_of,
    describe,
    explained,
    require_own_arrays,
    require_sound,
)
from evenkeel.errors import BadInputError
from evenkeel.files import require_file
from evenkeel.models.sites import HookPoint


class Shard:
    """Reads with checks: what does not match its checksum is refused, never returned."""

    def __init__(self, path: Path, file: h5py.File, description: Description) -> None:
        header = description.header
        self.path = path
        self.header = header
        self.first_text = description.first_text
        self.identity = description.identity
        self._fields = description.fields
        self._strings = description.strings
        self._file = file
        self._indices = {
            HookPoint.of(site, layer): index for index, (site, layer, _) in enumerate(header.points)
        }

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file of ours.

        Raises:
            BadInputError: it is missing, cut short, damaged, not a store, or of another version.
        """
        require_file(path, AGAIN)
        with explained(path):
            file = h5py.File(path, "r")
        try:
            with explained(path):
                description = describe(path, attributes_of(file))
                require_own_arrays(path, file, arrays_of(description))
            return cls(path, file, description)
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        self._file.close()

    @cached_property
    def input_ids(self) -> Int[np.ndarray, " tokens"]:
        with explained(self.path):
            return self._whole("tokens/input_ids")

    @cached_property
    def offsets(self) -> Int[np.ndarray, " texts_and_end"]:
        with explained(self.path):
            offsets = self._whole("texts/offsets")
            require_sound(self.path, self.input_ids, offsets)
            return offsets

    @cached_property
    def texts(self) -> pd.DataFrame:
        """One row a text, a column for each field of the input rows."""
        columns: dict[str, Column] = {}
        with explained(self.path):
            for name in self._fields:
                column = self._whole(f"texts/{name}")
                strings = name in self._strings
                columns[name] = unpacked(column, self._whole(f"ends/{name}")) if strings else column
            return pd.DataFrame(columns, index=range(len(self.offsets) - 1))

    def _whole(self, name: str) -> Shaped[np.ndarray, " values"]:
        values: np.ndarray = self._file[name][:]
        if digest_of(values) != attributes_of(self._file[name]).get("sha256"):
            raise OSError(f"{name} does not match its checksum")
        return values

    @property
    def rows(self) -> int:
        """Rows of each array: tokens or texts."""
        return len(self.input_ids) if self.header.positions == "all" else len(self.offsets) - 1

    @cached_property
    def _checksums(self) -> Shaped[np.ndarray, "points rows"]:
        with explained(self.path):
            checksums: np.ndarray = self._file["checksums"][:]
            if checksums.shape != (len(self.header.points), self.rows):
                raise ValueError(f"checksums of shape {checksums.shape}")
            return checksums

    @cached_property
    def _places(self) -> Places:
        with explained(self.path):
            for site, layer, width in self.header.points:
                array = self._file[f"{site}/{layer}"]
                if (array.shape, array.dtype) != ((self.rows, width), STORED[self.header.dtype]):
                    raise ValueError(f"{site}/{layer} has shape {array.shape}")
            return places_of(self._file, self.header)

    def read_into(
        self, out: Float[np.ndarray, "rows width"], point: HookPoint, start: int = 0
    ) -> None:
        """Read rows `start` to `start + len(out)` of a point as float32.

        Raises:
            BadInputError: a row does not match its checksum.
        """
        stop = start + len(out)
        as_is = self.header.dtype == "float32" and out.flags.c_contiguous
        stored = out if as_is else np.empty(out.shape, STORED[self.header.dtype])
        self._fill(stored, self._offset(point, start))
        wrong = row_checksums(stored) != self._checksums[self._indices[point], start:stop]
        if wrong.any():
            raise BadInputError(
                f"{self.path}: {int(wrong.sum())} rows of {point.site}/{point.layer} do not match "
                f"their checksums, the first is row {start + int(wrong.argmax())}: the file is "
                f"damaged or was not finished; {AGAIN}"
            )
        if not as_is:
            out[:] = from_stored(stored, self.header.dtype)

    def will_read(self, point: HookPoint, start: int, stop: int) -> None:
        """Let the disk fetch rows that are about to be read, where the system can be told."""
        if hasattr(os, "posix_fadvise"):  # not on macOS
            first, end = self._offset(point, start), self._offset(point, stop)
            descriptor = self._file.id.get_vfd_handle()
            os.posix_fadvise(descriptor, first, end - first, os.POSIX_FADV_WILLNEED)

    def _offset(self, point: HookPoint, row: int) -> int:
        """Place of a row in the file, in bytes."""
        width = self.header.points[self._indices[point]][2]
        row_bytes = width * STORED[self.header.dtype].itemsize
        return self._places.points[point] + row * row_bytes

    def _fill(self, rows: Shaped[np.ndarray, "rows width"], offset: int) -> None:
        """Read past HDF5, which takes three times as long and serves one thread at a time."""
        data = rows.data.cast("B")
        with explained(self.path):
            while data:
                count = os.preadv(self._file.id.get_vfd_handle(), [data], offset)
                if not count:
                    raise OSError(f"it ends {len(data)} bytes too early")
                data, offset = data[count:], offset + count
