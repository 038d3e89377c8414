"""Measurements of an SAE as tasks: blocks of latents, stretches of the corpus, batches of texts.

What is read off the weights falls into blocks of latents. What a latent does in texts does not: the
latents of a TopK autoencoder compete, so that a block of them would have to encode the whole corpus
for itself. There a task is a stretch of the corpus, and what tasks find is merged in its order.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from evenkeel.activations.shard_job import ModelFolder
from evenkeel.activations.store import ActivationStore
from evenkeel.models.loading import LoadedModel
from evenkeel.models.vocabulary import unembedding_of
from evenkeel.sae.contexts import Peaks, Windows, fit_firing, windows_around
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.firing import FiringFitter
from evenkeel.sae.histogram import weight_histograms
from evenkeel.sae.loading import LoadedSae, open_sae
from evenkeel.sae.logit_weights import BLOCK, LogitWeights, logit_weights
from evenkeel.sae.pooling import pooled_activations, texts_at_once
from evenkeel.sae.quality import rows_at_once

_LATENTS = 4 * BLOCK
_SPANS = 64
"""Batches of a stretch of the corpus."""
_STEPS = 4
"""Batches of texts of which activations are pooled."""


@dataclass(frozen=True)
class Measured:
    """What is measured: a model, an SAE, and the corpus that both read."""

    loaded: LoadedModel
    sae: LoadedSae
    corpus: Corpus


class FeatureTask(Protocol):
    """Some of the measurements; it is pickled."""

    def run(self, measured: Measured) -> Any: ...


@dataclass(frozen=True)
class FeatureFiles:
    """Where workers find what is measured: the same files on every machine."""

    model: ModelFolder
    sae: Path
    activations: Path


@dataclass(frozen=True)
class FeatureJob:
    """Measurements of one SAE.

    Args:
        measured: what is open in this process, or the files to open.
    """

    measured: Measured | FeatureFiles

    @contextmanager
    def opened(self) -> Iterator[Callable[[FeatureTask], Any]]:
        with ExitStack() as stack:
            measured = self.measured
            if isinstance(measured, FeatureFiles):
                loaded = measured.model.load()
                store = stack.enter_context(ActivationStore.open(measured.activations))
                store.require_model(loaded.fingerprint)
                sae = open_sae(measured.sae)
                measured = Measured(loaded, sae, Corpus(store, sae.place, sae.first_position))
            yield lambda task: task.run(measured)


@dataclass(frozen=True, eq=False)
class WeightsTask:
    """Logit weights of a block of latents, and their histograms."""

    latents: range
    tokens: int

    def run(self, measured: Measured) -> tuple[LogitWeights, Int[Tensor, "latents bins"]]:
        unembedding = unembedding_of(measured.loaded)
        decoder = measured.sae.decoder.to(unembedding.device)
        weights = logit_weights(decoder, unembedding, self.tokens, self.latents)
        rows = decoder[self.latents.start : self.latents.stop]
        return weights.cpu(), weight_histograms(rows, unembedding).cpu()


@dataclass(frozen=True, eq=False)
class FiringTask:
    """When latents fire in a stretch of the corpus."""

    spans: tuple[range, ...]
    k: int

    def run(self, measured: Measured) -> FiringFitter:
        return fit_firing(measured.sae, measured.corpus, self.k, self.spans)


@dataclass(frozen=True, eq=False)
class WindowsTask:
    """Windows around peaks in a stretch of the corpus."""

    spans: tuple[range, ...]
    peaks: Peaks
    window: int

    def run(self, measured: Measured) -> Windows:
        return windows_around(measured.sae, measured.corpus, self.peaks, self.window, self.spans)


@dataclass(frozen=True, eq=False)
class PoolingTask:
    """Activations of all latents over whole texts."""

    texts: tuple[str, ...]
    number: int
    """Of the first one among all texts."""
    pooling: Literal["max", "mean"]

    def run(self, measured: Measured) -> Float[ndarray, "texts d_sae"]:
        loaded, sae, sinks = measured.loaded, measured.sae, measured.corpus.sinks
        return pooled_activations(loaded, sae, self.texts, self.pooling, sinks, self.number)


def weights_tasks(sae: LoadedSae, tokens: int) -> list[WeightsTask]:
    latents = range(sae.d_sae)
    starts = latents[::_LATENTS]
    return [WeightsTask(latents[start : start + _LATENTS], tokens) for start in starts]


def firing_tasks(sae: LoadedSae, corpus: Corpus, k: int) -> list[FiringTask]:
    return [FiringTask(spans, k) for spans in _stretches(sae, corpus)]


def windows_tasks(sae: LoadedSae, corpus: Corpus, peaks: Peaks, window: int) -> list[WindowsTask]:
    tasks = []
    for spans in _stretches(sae, corpus):
        own = peaks.within(range(spans[0].start, spans[-1].stop))
        if own.start < own.stop:
            tasks.append(WindowsTask(spans, peaks.some(own), window))
    return tasks


def pooling_tasks(
    sae: LoadedSae, texts: Sequence[str], pooling: Literal["max", "mean"]
) -> list[PoolingTask]:
    size = _STEPS * texts_at_once(sae)
    starts = range(0, len(texts), size)
    return [PoolingTask(tuple(texts[start : start + size]), start, pooling) for start in starts]


def _stretches(sae: LoadedSae, corpus: Corpus) -> Iterator[tuple[range, ...]]:
    spans = tuple(corpus.spans(rows_at_once(sae)))
    return (spans[start : start + _SPANS] for start in range(0, len(spans), _SPANS))
