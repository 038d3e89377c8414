"""Pieces of text in which a latent fires, and pieces in which it does not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from evenkeel.models.spelling import Spelling
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.firing import Firing, FiringFitter
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.quality import rows_at_once
from evenkeel.sae.results import Context

_SILENT_SAMPLE = 1024
"""Texts, at random, among which each latent's silent ones are looked for."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Where the contexts of all latents are, in arrays, and what they show there."""

    rows: Int[np.ndarray, "latents k"]
    """First row of the window in the corpus; -1 where there is none."""
    lengths: Int[np.ndarray, "latents k"]
    peaks: Int[np.ndarray, "latents k"]
    """Index of the peak in the window."""
    activations: Float[np.ndarray, "latents k window"]


def measure_firing(sae: LoadedSae, corpus: Corpus, k: int) -> Firing:
    """One pass over the corpus: when each latent fires, and the `k` texts in which it does most."""
    fitter = FiringFitter(sae.d_sae, k)
    texts = torch.from_numpy(corpus.text_of_row)
    used = torch.from_numpy(corpus.used)
    candidates = torch.from_numpy(corpus.first_of_its_kind[corpus.text_of_row])
    for where, x in corpus.batches(rows_at_once(sae)):
        rows = used[where]
        fitter.update(sae.encode(x[rows]), texts[where][rows], candidates[where][rows])
    return fitter.result()


def top_windows(
    sae: LoadedSae, corpus: Corpus, texts: Int[np.ndarray, "latents k"], window: int
) -> Windows:
    """Windows around the peak of each latent in each of its texts (-1: no text)."""
    found = _empty(texts.shape, window)
    latent, rank = np.nonzero(texts >= 0)
    order = np.argsort(texts[latent, rank], kind="stable")
    latent, rank = latent[order], rank[order]
    named = texts[latent, rank]
    offsets = corpus.store.offsets
    for where, x in corpus.batches(rows_at_once(sae)):
        first, after = np.searchsorted(offsets, [where.start, where.stop])
        lo, hi = np.searchsorted(named, [first, after])
        if lo == hi:
            continue
        latents = sae.encode(x).numpy()
        latents[~corpus.used[where]] = 0
        for text in np.unique(named[lo:hi]):
            pairs = slice(*np.searchsorted(named, [text, text + 1]))
            start, stop = offsets[text] + corpus.skipped, offsets[text + 1]
            acts = latents[start - where.start : stop - where.start, latent[pairs]].T
            _place(found, latent[pairs], rank[pairs], start, acts, acts.argmax(1))
    return found


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
            _place(found, np.array([latent]), np.array([rank]), start, acts, np.array([peak]))
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
    latent: Int[np.ndarray, " pairs"],
    rank: Int[np.ndarray, " pairs"],
    start: int,
    acts: Float[np.ndarray, "pairs tokens"],
    peaks: Int[np.ndarray, " pairs"],
) -> None:
    """Put one text's windows around `peaks` where they belong; `start` is the text's first row."""
    size = windows.activations.shape[-1]
    tokens = acts.shape[1]
    length = min(size, tokens)
    begin = np.clip(peaks - size // 2, 0, tokens - length)
    windows.rows[latent, rank] = start + begin
    windows.lengths[latent, rank] = length
    windows.peaks[latent, rank] = peaks - begin
    shown = np.take_along_axis(acts, begin[:, None] + np.arange(length), axis=1)
    windows.activations[latent, rank, :length] = shown


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
