"""Pieces of text in which a latent fires, and pieces in which it does not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Int

from evenkeel.models.spelling import Spelling
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.firing import FiringFitter
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.quality import rows_at_once
from evenkeel.sae.results import Context

_SILENT_SAMPLE = 1024
"""Texts, at random, among which each latent's silent ones are looked for."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Where contexts are, in arrays, and what they show there; of all latents, or of `Peaks`."""

    rows: Int[np.ndarray, "*places"]
    """First row of the window in the corpus; -1 where there is none."""
    lengths: Int[np.ndarray, "*places"]
    peaks: Int[np.ndarray, "*places"]
    """Index of the peak in the window."""
    activations: Float[np.ndarray, "*places window"]


@dataclass(frozen=True, eq=False)
class Peaks:
    """Pairs of a latent and a text in which it fires most, in the order of the texts."""

    latents: Int[np.ndarray, " pairs"]
    ranks: Int[np.ndarray, " pairs"]
    """How many texts have a larger peak of the latent."""
    texts: Int[np.ndarray, " pairs"]

    @classmethod
    def of(cls, texts: Int[np.ndarray, "latents k"]) -> Self:
        """The pairs of each latent's texts, the largest peak first (-1: no text)."""
        latents, ranks = np.nonzero(texts >= 0)
        order = np.argsort(texts[latents, ranks], kind="stable")
        latents, ranks = latents[order], ranks[order]
        return cls(latents, ranks, texts[latents, ranks])

    def within(self, texts: range) -> slice:
        """Which pairs are in some consecutive texts."""
        return slice(*map(int, np.searchsorted(self.texts, [texts.start, texts.stop])))

    def some(self, pairs: slice) -> Self:
        return type(self)(self.latents[pairs], self.ranks[pairs], self.texts[pairs])


def fit_firing(
    sae: LoadedSae, corpus: Corpus, k: int, spans: Iterable[range] | None = None
) -> FiringFitter:
    """When each latent fires in a corpus, and the `k` texts in which it does most.

    Args:
        sae: whose latents.
        corpus: what is read, once.
        k: how many texts.
        spans: some of `corpus.spans(rows_at_once(sae))`; all, if not given.
    """
    fitter = FiringFitter(sae.d_sae, k)
    texts = torch.from_numpy(corpus.text_of_row)
    used = torch.from_numpy(corpus.used)
    candidates = torch.from_numpy(corpus.first_of_its_kind[corpus.text_of_row])
    for where, x in corpus.batches(rows_at_once(sae), spans):
        rows = used[where]
        fitter.update(sae.encode(x[rows]), texts[where][rows], candidates[where][rows])
    return fitter


def windows_around(
    sae: LoadedSae,
    corpus: Corpus,
    peaks: Peaks,
    window: int,
    spans: Iterable[range] | None = None,
) -> Windows:
    """A window for each pair of a latent and a text, around its peak there.

    Args:
        sae: whose latents.
        corpus: what is read.
        peaks: the pairs.
        window: tokens.
        spans: as of `fit_firing`, and all that the pairs' texts are in.
    """
    found = _empty(peaks.texts.shape, window)
    offsets = corpus.store.offsets
    for span in corpus.spans(rows_at_once(sae)) if spans is None else spans:
        named = peaks.texts[peaks.within(span)]
        if not len(named):
            continue
        ((where, x),) = corpus.batches(rows_at_once(sae), [span])
        latents = sae.encode(x).numpy()
        latents[~corpus.used[where]] = 0
        for text in np.unique(named):
            pairs = peaks.within(range(text, text + 1))
            start, stop = offsets[text] + corpus.skipped, offsets[text + 1]
            acts = latents[start - where.start : stop - where.start, peaks.latents[pairs]].T
            _place(found, (pairs,), start, acts, acts.argmax(1))
    return found


def top_windows(
    shape: tuple[int, int], window: int, parts: Iterable[tuple[Peaks, Windows]]
) -> Windows:
    """All windows of all latents, from those of some pairs each.

    Args:
        shape: latents, and how many windows each has room for.
        window: tokens.
        parts: pairs, and what `windows_around` gave for them.
    """
    top = _empty(shape, window)
    for peaks, windows in parts:
        pairs = peaks.latents, peaks.ranks
        for field in fields(Windows):
            getattr(top, field.name)[pairs] = getattr(windows, field.name)
    return top


def silent_windows(sae: LoadedSae, corpus: Corpus, count: int, window: int, seed: int) -> Windows:
    """Windows at random places of texts in which a latent fires nowhere, other ones for each.

    Fewer than `count` where a latent fires in nearly all of the sampled texts.
    """
    rng = np.random.default_rng(seed)
    offsets = corpus.store.offsets
    lengths = np.diff(offsets) - corpus.skipped
    eligible = np.flatnonzero(corpus.first_of_its_kind & (lengths > 0))
    texts = rng.permutation(eligible)[:_SILENT_SAMPLE]
    silent = np.empty((len(texts), sae.d_sae), dtype=bool)
    for number, text in enumerate(texts):
        start, stop = offsets[text] + corpus.skipped, offsets[text + 1]
        x = corpus.store.read(corpus.place.site, corpus.place.layer, start, stop)
        fires = sae.encode(torch.from_numpy(x)).numpy() > 0
        silent[number] = ~fires[corpus.used[start:stop]].any(0)
    found = _empty((sae.d_sae, count), window)
    starts = rng.integers(len(texts), size=sae.d_sae)
    for latent, first in enumerate(starts):
        chosen = texts[
            (np.flatnonzero(np.roll(silent[:, latent], -first))[:count] + first) % len(texts)
        ]
        for rank, text in enumerate(chosen):
            peak = rng.integers(lengths[text])
            acts = np.zeros((1, lengths[text]), dtype=np.float32)
            start = offsets[text] + corpus.skipped
            place = np.array([latent]), np.array([rank])
            _place(found, place, start, acts, np.array([peak]))
    return found


def _empty(shape: tuple[int, ...], window: int) -> Windows:
    return Windows(
        rows=np.full(shape, -1),
        lengths=np.zeros(shape, dtype=int),
        peaks=np.zeros(shape, dtype=int),
        activations=np.zeros((*shape, window), dtype=np.float32),
    )


def _place(
    windows: Windows,
    places: tuple[slice | Int[np.ndarray, " pairs"], ...],
    start: int,
    acts: Float[np.ndarray, "pairs tokens"],
    peaks: Int[np.ndarray, " pairs"],
) -> None:
    """Put one text's windows around `peaks` where they belong; `start` is the text's first row."""
    size = windows.activations.shape[-1]
    tokens = acts.shape[1]
    length = min(size, tokens)
    begin = np.clip(peaks - size // 2, 0, tokens - length)
    windows.rows[places] = start + begin
    windows.lengths[places] = length
    windows.peaks[places] = peaks - begin
    shown = np.take_along_axis(acts, begin[:, None] + np.arange(length), axis=1)
    windows.activations[(*places, slice(length))] = shown


def contexts(corpus: Corpus, top: Windows, silent: Windows, tokenizer: Any) -> Iterator[Context]:
    """All contexts: latent by latent, the top ones first.

    Tokens that share a character stand together as one, with the largest of their activations.
    """
    ids = corpus.store.input_ids
    spelling = Spelling(tokenizer)
    kinds: list[tuple[Literal["top", "silent"], Windows]] = [("top", top), ("silent", silent)]
    for feature in range(len(top.rows)):
        for kind, windows in kinds:
            for rank in np.flatnonzero(windows.rows[feature] >= 0):
                row, length = windows.rows[feature, rank], windows.lengths[feature, rank]
                acts = windows.activations[feature, rank, :length]
                peak = windows.peaks[feature, rank]
                runs = list(spelling.runs(ids[row : row + length].tolist()))
                yield Context(
                    feature=feature,
                    kind=kind,
                    rank=int(rank),
                    tokens=tuple(text for text, _ in runs),
                    activations=tuple(float(f"{acts[where].max():.5g}") for _, where in runs),
                    peak=next(n for n, (_, where) in enumerate(runs) if peak < where.stop),
                )


def peak_tokens(corpus: Corpus, top: Windows) -> Int[np.ndarray, "latents k"]:
    """The token at the peak of each top context; token 0 where there is none."""
    found: np.ndarray = corpus.store.input_ids[np.maximum(top.rows + top.peaks, 0)]
    return np.where(top.rows >= 0, found, 0)
