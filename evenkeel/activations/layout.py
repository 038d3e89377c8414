"""How a shard lies in its HDF5 file.

    /tokens/input_ids     int32 [tokens]
    /texts/offsets        int64 [texts + 1]     text i is tokens offsets[i] to offsets[i + 1]
    /texts/<field>        [texts]               numbers and booleans among fields of the input rows
    /texts/<field>        uint8 [bytes]         ... or UTF-8 of strings, one after the other, and
    /ends/<field>         int64 [texts]         where each ends
    /<site>/<layer>       [rows, width]         rows are tokens or texts, in the order of the input
    /checksums            uint32 [points, rows] of each row of each point, in the order of `points`

Attributes of the file say what it is, from which model it came, and how. All space is allocated
when the file is made and never moves, so activations are written and read by offset, past HDF5, in
any order and from any thread, and a process that is killed leaves a file that still opens.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np

from evenkeel.activations.columns import columns_of, digest_of, packed
from evenkeel.activations.content import SCHEMA, Header, ShardContent
from evenkeel.activations.dtypes import STORED
from evenkeel.models.sites import HookPoint

FORMAT = "evenkeel activations"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Places:
    """Byte offsets in the file of what is written after it was made."""

    checksums: int
    points: dict[HookPoint, int]


def create_shard(path: Path, content: ShardContent) -> Places:
    """Make the file with all but the activations and their checksums, which are left zero."""
    header = content.header
    columns = columns_of(content.texts, content.first_text)
    # v110 checksums its metadata and gives a preallocated array one unbroken stretch of file.
    options = {"libver": ("v110", "v110"), "alignment_threshold": 65536, "alignment_interval": 4096}
    with h5py.File(path, "w", **options) as file:
        attributes = {
            "format": FORMAT,
            "schema": SCHEMA,
            "first_text": content.first_text,
            "fields": json.dumps(list(columns)),
            "strings": json.dumps(
                [name for name, data in columns.items() if isinstance(data, list)]
            ),
            "identity": content.identity,
            **asdict(header),
            "points": json.dumps(header.points),
        }
        for name, value in attributes.items():
            # Strings of fixed length lie in the file's header, which has a checksum.
            file.attrs[name] = np.bytes_(value.encode()) if isinstance(value, str) else value
        _write_checked(file, "tokens/input_ids", np.concatenate(content.ids))
        _write_checked(file, "texts/offsets", content.offsets())
        for name, column in columns.items():
            if isinstance(column, np.ndarray):
                _write_checked(file, f"texts/{name}", column)
            else:
                data, ends = packed(column)
                _write_checked(file, f"texts/{name}", data)
                _write_checked(file, f"ends/{name}", ends)
        stored = STORED[header.dtype]
        points = {
            HookPoint.of(site, layer): _reserve(
                file, f"{site}/{layer}", (content.rows, width), stored
            )
            for site, layer, width in header.points
        }
        shape = (len(header.points), content.rows)
        checksums = _reserve(file, "checksums", shape, np.dtype("<u4"), chunked=False)
    return Places(checksums, points)


def attributes_of(file: h5py.HLObject) -> dict[str, str | int]:
    """What the file says about itself, in strings of fixed length and integers.

    Others are not read: those of any length lie in a heap that has no checksum.
    """
    types = {name: file.attrs.get_id(name) for name in file.attrs}
    values = {
        name: file.attrs[name]
        for name, of in types.items()
        if of.dtype.kind in "Siu" and of.shape == ()
    }
    return {
        name: value.decode() if isinstance(value, bytes) else int(value)
        for name, value in values.items()
    }


def places_of(file: h5py.File, header: Header) -> Places:
    """Where an existing shard keeps its arrays."""
    points = {
        HookPoint.of(site, layer): _place(file[f"{site}/{layer}"].id)
        for site, layer, _ in header.points
    }
    return Places(_place(file["checksums"].id), points)


def _write_checked(file: h5py.File, name: str, data: np.ndarray) -> None:
    dataset = file.create_dataset(name, data=data)
    dataset.attrs["sha256"] = np.bytes_(digest_of(data).encode())


def _reserve(
    file: h5py.File, name: str, shape: tuple[int, int], dtype: np.dtype, chunked: bool = True
) -> int:
    """Make an array whose space is allocated now and filled later; return its place."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)
    if chunked:
        rows = max(1, min(shape[0], _CHUNK_BYTES // (shape[1] * dtype.itemsize)))
        properties.set_chunk((rows, shape[1]))
    group, _, leaf = name.rpartition("/")
    parent = file.require_group(group) if group else file
    space = h5py.h5s.create_simple(shape)
    stored = h5py.h5t.py_create(dtype)
    return _place(h5py.h5d.create(parent.id, leaf.encode(), stored, space, properties))


def _place(dataset: h5py.h5d.DatasetID) -> int:
    """Offset of an array's first byte, its rows following each other without a gap.

    Raises:
        ValueError: they do not; the file was rewritten by another program.
    """
    if dataset.get_create_plist().get_layout() == h5py.h5d.CONTIGUOUS:
        return int(dataset.get_offset())
    first = dataset.get_chunk_info(0)
    last = dataset.get_num_chunks() - 1
    if dataset.get_chunk_info(last).byte_offset != first.byte_offset + last * first.size:
        raise ValueError("its rows do not lie in one stretch")
    return int(first.byte_offset)
