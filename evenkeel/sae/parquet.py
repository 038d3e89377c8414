"""Parquet that holds the SHA-256 of its own bytes: the format's checksums leave out its footer."""

import hashlib
import io
import os
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from evenkeel.errors import BadInputError
from evenkeel.files import atomic_file, open_input

_MAGIC = b"PAR1"
"""What a file ends with."""
_KEY = "evenkeel.sha256"
_BLANK = "0" * 64
"""In the place of the digest while it is computed."""
_SEAL = re.compile(re.escape(_KEY).encode() + rb"..([0-9a-f]{64})", re.DOTALL)
"""In the footer: the key, type and length of its value, the value."""


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write Parquet, atomically; the same table gives the same bytes."""
    found = pa.Table.from_pandas(table, preserve_index=False)
    described = found.replace_schema_metadata((found.schema.metadata or {}) | {_KEY: _BLANK})
    sink = io.BytesIO()
    pq.write_table(described, sink, write_page_checksum=True)
    data = sink.getvalue()
    *_, seal = _SEAL.finditer(data)  # the footer is at the end
    with atomic_file(path) as part:
        part.write_bytes(_with(data, seal, hashlib.sha256(data).hexdigest()))


def read_parquet(path: Path, advice: str) -> pd.DataFrame:
    """Read Parquet; what Evenkeel wrote is compared with its SHA-256.

    Raises:
        BadInputError: the file is missing, damaged or no Parquet.
    """
    with open_input(path, advice) as file:
        file.seek(-min(len(_MAGIC), path.stat().st_size), os.SEEK_END)
        if file.read() != _MAGIC:  # before a file of any size is read whole
            raise BadInputError(f"{path}: damaged or no Parquet file (no end mark); {advice} again")
        file.seek(0)
        data = file.read()
    *_, seal = [None, *_SEAL.finditer(data)]
    if seal is not None:
        found = hashlib.sha256(_with(data, seal, _BLANK)).hexdigest()
        if found.encode() != seal[1]:
            raise BadInputError(
                f"{path}: damaged Parquet file, or changed after Evenkeel wrote it: its contents "
                f"do not match their SHA-256; {advice} again"
            )
    try:
        return pq.read_table(pa.BufferReader(data), page_checksum_verification=True).to_pandas()
    except Exception as error:  # pyarrow and pandas raise whatever a damaged schema makes them
        raise BadInputError(
            f"{path}: damaged or no Parquet file ({error}); {advice} again"
        ) from error


def _with(data: bytes, seal: "re.Match[bytes]", digest: str) -> bytes:
    start, end = seal.span(1)
    return data[:start] + digest.encode() + data[end:]
