"""The results of forward passes on disk, so that an evaluation that was killed goes on."""

import hashlib
import json
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from evenkeel.execution.job import Running, in_order
from evenkeel.files import work_folder
from evenkeel.lock import writing_alone
from evenkeel.models.devices import input_device
from evenkeel.models.loading import LoadedModel
from evenkeel.progress import Progress
from evenkeel.scoring.pass_job import PassTask, Result

PASSES_AT_ONCE = 16
"""Of a task: so many edits share one pass of the unsteered model."""
Passing = Running[PassTask, list[Result]]
"""Runs passes elsewhere."""
_CHECKSUM_BYTES = 4


class ResultCache:
    """Keeps the result of every forward pass, in the order in which they run.

    A file belongs to one question: it is found again only where the same model, under the same
    versions of all that computes, is asked the same.

    Args:
        folder: of the files; None keeps nothing.
        asked: JSON of what computes: the model, its device, versions.
        running: other processes that run the passes; this one does, if not given.
    """

    def __init__(
        self, folder: Path | None = None, asked: Any = None, running: Passing | None = None
    ) -> None:
        self._folder, self._asked, self._running = folder, asked, running

    def results(
        self,
        title: str,
        question: Callable[[], Any],
        sizes: Sequence[int],
        passes: int,
        run: Callable[[int, int], Iterator[Result]],
        task: Callable[[int, slice], PassTask] | None = None,
    ) -> Iterator[tuple[int, int, Result]]:
        """Every batch's results, pass by pass: first what was kept, then what still has to run.

        Args:
            title: of the progress bar, which starts at what was kept.
            question: JSON in which arrays and tensors may stand; made only where it is kept.
            sizes: how many numbers a pass over each batch gives.
            passes: over each batch.
            run: gives the results of a batch from one pass on, by the numbers of both.
            task: the same of some passes over a batch, for another process.

        Returns:
            The number of the batch and of the pass over it, and its result.
        """
        order = [(batch, number) for batch in range(len(sizes)) for number in range(passes)]
        with self._file(question) as file:
            kept = _whole_results(file, [sizes[batch] for batch, _ in order])
            done, begun = divmod(len(kept), max(passes, 1))
            first = {done: begun}
            computed: Iterator[Result]
            if self._running is None or task is None:
                computed = (
                    result
                    for batch in range(done, len(sizes))
                    for result in run(batch, first.get(batch, 0))
                )
            else:
                tasks = [
                    task(batch, slice(start, min(start + PASSES_AT_ONCE, passes)))
                    for batch in range(done, len(sizes))
                    for start in range(first.get(batch, 0), passes, PASSES_AT_ONCE)
                ]
                computed = chain.from_iterable(in_order(self._running, tasks))
            rest = (_written(file, result) for result in computed)
            shown = Progress(rest, title, len(order), initial=len(kept), unit="pass")
            for (batch, number), result in zip(order, chain(kept, shown), strict=True):
                yield batch, number, result

    def _file(self, question: Callable[[], Any]) -> BinaryIO:
        if self._folder is None:
            return BytesIO()
        asked = json.dumps([self._asked, question()], default=lambda values: values.tolist())
        self._folder.mkdir(exist_ok=True)
        name = hashlib.sha256(asked.encode()).hexdigest()
        # Unbuffered: what a pass gave is the file's as soon as it is written.
        return (self._folder / name).open("a+b", buffering=0)


NOT_KEPT = ResultCache()


@contextmanager
def cache_beside(
    output: Path, loaded: LoadedModel, running: Passing | None = None
) -> Iterator[ResultCache]:
    """Keep a result cache in a hidden folder beside an output, and remove it after the block.

    Where the block raises, or the process dies, it stays for the next run.

    Args:
        output: of the evaluation.
        loaded: the model that is read.
        running: other processes that run the passes.

    Raises:
        BadInputError: another process is writing the same output.
    """
    versions = [version(package) for package in ("torch", "transformers", "sae-lens")]
    asked = [loaded.provenance.model_dump(), str(input_device(loaded.model)), versions, _code()]
    folder = work_folder(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with writing_alone(output):
        yield ResultCache(folder, asked, running)
        shutil.rmtree(folder, ignore_errors=True)


def _written(file: BinaryIO, result: Result) -> Result:
    data = result.tobytes()
    file.write(_checksum(data) + data)
    return result


def _whole_results(file: BinaryIO, sizes: Sequence[int]) -> list[Result]:
    """The results that were written whole; what follows them is cut off."""
    file.seek(0)
    found: list[Result] = []
    end = 0
    for size in sizes:
        length = size * np.dtype(np.float64).itemsize
        checksum, data = file.read(_CHECKSUM_BYTES), file.read(length)
        if len(data) < length or checksum != _checksum(data):
            break
        found.append(np.frombuffer(data))
        end = file.tell()
    file.seek(end)
    file.truncate()
    return found


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "little")


def _code() -> str:
    """SHA-256 of our own source: who mends it between two runs wants nothing of the first."""
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
