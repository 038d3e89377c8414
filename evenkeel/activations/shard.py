"""One HDF5 file of a store, open for reading."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from evenkeel.activations.checksums import row_checksums
from evenkeel.activations.columns import digest_of
from evenkeel.activations.content import SCHEMA, Header
from evenkeel.activations.dtypes import STORED, from_stored
from evenkeel.activations.layout import FORMAT, Places, attributes_of, places_of
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint

_AGAIN = "run cache_activations again, or dvc pull it"


class Shard:
    """Reads with checks: what does not match its checksum is refused, never returned."""

    def __init__(self, path: Path, file: h5py.File, attributes: dict[str, Any]) -> None:
        header = _header_of(path, attributes)
        self.path = path
        self.header = header
        self.first_text = int(attributes["first_text"])
        self.identity = str(attributes["identity"])
        self._fields = json.loads(attributes["fields"])
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
        if not path.is_file():
            raise BadInputError(f"{path}: no such file; {_AGAIN}")
        with _explained(path):
            file = h5py.File(path, "r")
        try:
            with _explained(path):
                attributes = attributes_of(file)
            return cls(path, file, attributes)
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        self._file.close()

    @cached_property
    def input_ids(self) -> Int[np.ndarray, " tokens"]:
        with _explained(self.path):
            ids: np.ndarray = self._file["tokens/input_ids"][:]
            return ids

    @cached_property
    def offsets(self) -> Int[np.ndarray, " texts_and_end"]:
        with _explained(self.path):
            offsets: np.ndarray = self._file["texts/offsets"][:]
            return offsets

    @cached_property
    def texts(self) -> pd.DataFrame:
        """One row a text, a column for each field of the input rows."""
        columns = {}
        with _explained(self.path):
            for name in self._fields:
                dataset = self._file[f"texts/{name}"]
                text = h5py.check_string_dtype(dataset.dtype) is not None
                column = dataset.asstr()[:].tolist() if text else dataset[:]
                if digest_of(column) != dataset.attrs["sha256"]:
                    raise OSError(f"the texts' field {name!r} does not match its checksum")
                columns[name] = column
        return pd.DataFrame(columns)

    @property
    def rows(self) -> int:
        """Rows of each array: tokens or texts."""
        return len(self.input_ids) if self.header.positions == "all" else len(self.offsets) - 1

    @cached_property
    def _checksums(self) -> Shaped[np.ndarray, "points rows"]:
        with _explained(self.path):
            checksums: np.ndarray = self._file["checksums"][:]
            return checksums

    @cached_property
    def _places(self) -> Places:
        with _explained(self.path):
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
                f"damaged or was not finished; {_AGAIN}"
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
        with _explained(self.path):
            while data:
                count = os.preadv(self._file.id.get_vfd_handle(), [data], offset)
                if not count:
                    raise OSError(f"it ends {len(data)} bytes too early")
                data, offset = data[count:], offset + count


def _header_of(path: Path, attributes: dict[str, Any]) -> Header:
    if attributes.get("format") != FORMAT:
        raise BadInputError(f"{path}: an HDF5 file, but not an activation store of ours; {_AGAIN}")
    if attributes.get("schema") != SCHEMA:
        raise BadInputError(
            f"{path}: an activation store of schema {attributes.get('schema')}, but this version "
            f"reads schema {SCHEMA}; {_AGAIN}"
        )
    points = tuple((site, layer, width) for site, layer, width in json.loads(attributes["points"]))
    values = {field.name: attributes[field.name] for field in fields(Header)}
    return Header(**{**values, "points": points})


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what HDF5 says of a file that it cannot read into a message with a way out."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(
            f"{path}: cut short, damaged or no HDF5 file ({error}); {_AGAIN}"
        ) from (error)
