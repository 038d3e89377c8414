"""One prompt set, read from the unsteered model once and from many steered ones after it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from evenkeel.scoring.pass_job import PassTask
from evenkeel.scoring.prefix_reuse import first_affected, recorded, resumed
from evenkeel.scoring.prompt_set import PromptSet, Readings
from evenkeel.scoring.result_cache import NOT_KEPT, ResultCache
from evenkeel.scoring.token_reads import ReadBatch, read_batch
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention
from evenkeel.steering.spec import digest_of

KEPT_BYTES = 2**30
"""Block outputs of the unsteered model that are kept in memory; those of further batches are
computed again for each set of edits."""


class SteeredReads:
    """Reads a prompt set from a model, unsteered and under edits.

    Each batch goes through the unsteered model once and then, from the first block that it edits
    on, through the model under each edit.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        prompt_set: what is read.
        batch_size: rows in a forward pass.
        cache: keeps what each pass gives.
    """

    def __init__(
        self,
        model: Any,
        prompt_set: PromptSet,
        batch_size: int,
        cache: ResultCache = NOT_KEPT,
    ) -> None:
        self._model, self._prompt_set, self._cache = model, prompt_set, cache
        self._batches = prompt_set.batches(batch_size)
        self._sizes = [len(batch.place) for batch in self._batches]
        self._kept: dict[int, list[Any]] = {}
        self._kept_bytes = 0

    @cached_property
    def baseline(self) -> Readings:
        """What the unsteered model gives."""

        def run(number: int, _begun: int) -> Iterator[Float[ndarray, " reads"]]:
            yield self._unsteered(number)[1]

        def task(number: int, _passes: slice) -> PassTask:
            return _Unsteered(self._batches[number])

        def question() -> list[Any]:
            return ["baseline", [vars(batch) for batch in self._batches]]

        (readings,) = self._readings("baseline", question, 1, run, task)
        return readings

    def steered(self, edits: Sequence[Sequence[Intervention]], title: str) -> list[Readings]:
        """What the model gives under each edit, in the order given.

        Args:
            edits: interventions that act together, at least one in each.
            title: of the progress bar.
        """

        def run(number: int, begun: int) -> Iterator[Float[ndarray, " reads"]]:
            outputs = self._kept.get(number) or self._unsteered(number)[0]
            yield from _steered(self._model, self._batches[number], outputs, edits[begun:])

        def task(number: int, passes: slice) -> PassTask:
            return _Steered(self._batches[number], edits[passes])

        def question() -> list[Any]:
            batches = [vars(batch) for batch in self._batches]
            return ["readings", [digest_of(edit) for edit in edits], batches]

        return self._readings(title, question, len(edits), run, task)

    def _readings(
        self, title: str, question: Any, passes: int, run: Any, task: Any
    ) -> list[Readings]:
        table = np.empty((passes, sum(self._sizes)))
        results = self._cache.results(title, question, self._sizes, passes, run, task)
        for batch, number, log_probs in results:
            table[number, self._batches[batch].place] = log_probs
        return [self._prompt_set.readings(reads) for reads in table]

    def _unsteered(self, number: int) -> tuple[list[Any], Float[ndarray, " reads"]]:
        """What each block of the unsteered model returns on a batch, and the reads of it."""
        with recorded(self._model) as outputs:
            log_probs = read_batch(self._model, self._batches[number])
        size = sum(map(_bytes, outputs))
        if self._kept_bytes + size <= KEPT_BYTES:
            self._kept[number] = outputs
            self._kept_bytes += size
        return outputs, log_probs


@dataclass(frozen=True)
class _Unsteered:
    """A batch, read by a worker from the model as it is."""

    batch: ReadBatch

    def run(self, model: Any) -> Iterator[Float[ndarray, " reads"]]:
        yield read_batch(model, self.batch)


@dataclass(frozen=True)
class _Steered:
    """A batch, read by a worker under one edit after the other."""

    batch: ReadBatch
    edits: Sequence[Sequence[Intervention]]

    def run(self, model: Any) -> Iterator[Float[ndarray, " reads"]]:
        with recorded(model) as outputs:
            read_batch(model, self.batch)
        yield from _steered(model, self.batch, outputs, self.edits)


def _steered(
    model: Any,
    batch: ReadBatch,
    outputs: Sequence[Any],
    edits: Sequence[Sequence[Intervention]],
) -> Iterator[Float[ndarray, " reads"]]:
    """The reads of a batch under each edit, from what the unsteered model's blocks return."""
    for interventions in edits:
        with steer(model, interventions), resumed(model, outputs, first_affected(interventions)):
            log_probs = read_batch(model, batch)
        yield log_probs


def _bytes(output: Any) -> int:
    tensors = output if isinstance(output, tuple) else (output,)
    return sum(tensor.nbytes for tensor in tensors if isinstance(tensor, Tensor))
