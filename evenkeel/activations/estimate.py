"""What a store of many texts would take, from what a few of them take here."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from evenkeel.activations.columns import Row, texts_of
from evenkeel.activations.content import SHARD_TEXTS
from evenkeel.activations.shard_job import header_of
from evenkeel.activations.sources import open_texts
from evenkeel.activations.writer import write_store
from evenkeel.errors import BadInputError
from evenkeel.execution.simulation import Rates
from evenkeel.models.loading import LoadedModel
from evenkeel.params import CaptureParams

SAMPLE = 1000
DISPATCH_SECONDS = 0.002
"""Of Ray, between a shard's end and the next one's start: `python -m benchmarks.cluster`."""
_DISK_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Measured:
    """Rates of this machine, for one worker."""

    tokens_per_text: float
    texts_bytes: float
    """Of a text's row, beside the activations."""
    tokens_per_second: float
    """Computed and on the disk."""
    encoded_per_second: float
    """Texts that one process encodes."""
    disk_bytes_per_second: float
    load_seconds: float


def read_sample(path: Path) -> list[Row]:
    """The first `SAMPLE` texts of a file or dataset, to measure with.

    Raises:
        BadInputError: it holds none, or as of `open_texts`.
    """
    sample = list(islice(open_texts(path), SAMPLE))
    if not sample:
        raise BadInputError(f"{path}: no texts to measure with; give --sample one that has some")
    return sample


def measure(
    loaded: LoadedModel,
    load_seconds: float,
    sample: Sequence[Row],
    params: CaptureParams,
    at: Path,
) -> Measured:
    """Cache a sample in a temporary folder, and time it.

    Args:
        loaded: the model.
        load_seconds: how long it took to load.
        sample: texts, at least one.
        params: what is kept.
        at: a folder on the disk that the workers will share.

    Raises:
        BadInputError: as of `write_store`.
    """
    started = time.perf_counter()
    loaded.encoder.encode_all(texts_of(sample))
    encoding = time.perf_counter() - started
    with TemporaryDirectory(dir=at) as folder:
        write_store(Path(folder) / "warm.h5", loaded, sample[:50], params)
        started = time.perf_counter()
        summary = write_store(Path(folder) / "sample.h5", loaded, sample, params)
        seconds = time.perf_counter() - started
        disk = _disk_rate(Path(folder) / "disk")
    kept = summary.rows * header_of(loaded, params).row_bytes
    return Measured(
        tokens_per_text=summary.tokens / summary.texts,
        texts_bytes=max(0, summary.bytes - kept) / summary.texts,
        tokens_per_second=summary.tokens / seconds,
        encoded_per_second=len(sample) / encoding,
        disk_bytes_per_second=disk,
        load_seconds=load_seconds,
    )


def rates_of(
    measured: Measured,
    row_bytes: int,
    params: CaptureParams,
    texts: int,
    shard_bytes: int,
    hours_between_failures: float,
) -> Rates:
    """What a run over `texts` texts is made of.

    Args:
        measured: of one worker.
        row_bytes: bytes on disk that one row costs at all points together.
        params: what is kept.
        texts: how many.
        shard_bytes: size limit of a shard's activations.
        hours_between_failures: mean time after which a worker dies.
    """
    rows = measured.tokens_per_text if params.positions == "all" else 1.0
    of_a_shard = min(shard_bytes / (rows * row_bytes), SHARD_TEXTS, texts)
    of_a_shard = max(1, int(of_a_shard))
    shards = -(-texts // of_a_shard)
    even = texts / shards
    tokens = even * measured.tokens_per_text
    return Rates(
        shards=shards,
        shard_seconds=tokens / measured.tokens_per_second,
        shard_bytes=even * (rows * row_bytes + measured.texts_bytes),
        disk_bytes_per_second=measured.disk_bytes_per_second,
        planning_seconds=even / measured.encoded_per_second,
        dispatch_seconds=DISPATCH_SECONDS,
        start_seconds=measured.load_seconds,
        batches=max(1, int(tokens / params.batch_tokens)),
        hours_between_failures=hours_between_failures,
    )


def _disk_rate(file: Path) -> float:
    """Bytes a second that are on the disk when the time ends."""
    block = os.urandom(2**20)
    started = time.perf_counter()
    with file.open("wb") as target:
        for _ in range(_DISK_BYTES // len(block)):
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    return _DISK_BYTES / (time.perf_counter() - started)
