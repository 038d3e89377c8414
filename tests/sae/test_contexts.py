"""Firing statistics and contexts, against a search through all activations."""

from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.activations.store import ActivationStore
from evenkeel.models.loading import LoadedModel
from evenkeel.sae import contexts as module
from evenkeel.sae.contexts import (
    Context,
    Peaks,
    Windows,
    contexts,
    fit_firing,
    peak_tokens,
    silent_windows,
    top_windows,
    windows_around,
)
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.firing import QUANTILES, Firing, FiringFitter
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.saving import log_sparsity

from .conftest import PLACE, write_corpus

K = 5
WINDOW = 6


@pytest.fixture
def corpus(store: ActivationStore, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    monkeypatch.setattr(module, "rows_at_once", lambda _: 100)  # several batches
    return Corpus(store, PLACE, 1)


@pytest.fixture
def latents(sae: LoadedSae, corpus: Corpus) -> np.ndarray:
    found: np.ndarray = sae.encode(
        torch.from_numpy(corpus.store.read(PLACE.site, PLACE.layer))
    ).numpy()
    found[~corpus.used] = 0
    return found


def top_of(sae: LoadedSae, corpus: Corpus, firing: Firing, window: int) -> Windows:
    peaks = Peaks.of(firing.texts.numpy())
    found = windows_around(sae, corpus, peaks, window)
    return top_windows(tuple(firing.texts.shape), window, [(peaks, found)])


def test_firing_statistics_are_those_of_all_activations(
    sae: LoadedSae, corpus: Corpus, latents: np.ndarray
) -> None:
    firing = fit_firing(sae, corpus, K).result()
    used = latents[corpus.used]
    np.testing.assert_allclose(firing.frequency, (used > 0).mean(0), rtol=1e-6)
    np.testing.assert_allclose(firing.maximum, used.max(0), rtol=1e-6)
    alive = np.flatnonzero((used > 0).sum(0) >= 20)
    assert len(alive) > 5
    for latent in alive:
        active = used[:, latent][used[:, latent] > 0]
        assert firing.mean[latent] == pytest.approx(active.mean(), rel=1e-4)
        exact = np.quantile(active, QUANTILES, method="inverted_cdf")
        np.testing.assert_allclose(firing.quantiles[:, latent], exact, rtol=0.023)
    sparsity = log_sparsity(firing.frequency).numpy()
    np.testing.assert_allclose(sparsity[alive], np.log10((used > 0).mean(0))[alive], rtol=1e-5)


def test_whoever_reads_which_stretch_of_the_corpus_finds_the_same(
    sae: LoadedSae, corpus: Corpus
) -> None:
    """Bit for bit: sums are added in the order of the texts, and of equal peaks the first wins."""
    whole = fit_firing(sae, corpus, K).result()
    top = top_of(sae, corpus, whole, WINDOW)
    spans = list(corpus.spans(100))
    assert len(spans) > 8
    merged = FiringFitter(sae.d_sae, K)
    peaks = Peaks.of(whole.texts.numpy())
    parts = []
    for some in (spans[:1], spans[1:5], spans[5:]):
        merged.merge(fit_firing(sae, corpus, K, some))
        own = peaks.some(peaks.within(range(some[0].start, some[-1].stop)))
        parts.append((own, windows_around(sae, corpus, own, WINDOW, some)))
    found, again = merged.result(), top_windows((sae.d_sae, K), WINDOW, parts[::-1])

    assert sum(len(own.texts) for own, _ in parts) == len(peaks.texts)
    for field in fields(Firing):
        assert torch.equal(getattr(found, field.name), getattr(whole, field.name)), field.name
    for field in fields(Windows):
        assert np.array_equal(getattr(again, field.name), getattr(top, field.name)), field.name


def test_top_contexts_are_the_largest_peaks_of_distinct_texts(
    sae: LoadedSae, corpus: Corpus, latents: np.ndarray, tokenizer: Any
) -> None:
    firing = fit_firing(sae, corpus, K).result()
    top = top_of(sae, corpus, firing, WINDOW)
    silent = silent_windows(sae, corpus, 4, WINDOW, seed=0)
    rows = list(contexts(corpus, top, silent, tokenizer))
    per_text = np.array([part.max(0) for part in np.split(latents, corpus.store.offsets[1:-1])])
    ids = peak_tokens(corpus, top)
    for latent in range(sae.d_sae):
        mine = [row for row in rows if row.feature == latent and row.kind == "top"]
        best = np.sort(per_text[:, latent])[::-1][:K]
        best = best[best > 0]
        assert [row.rank for row in mine] == list(range(len(best)))
        np.testing.assert_allclose([max(row.activations) for row in mine], best, rtol=1e-4)
        for row in mine:
            assert len(row.tokens) == len(row.activations) <= WINDOW
            assert row.activations[row.peak] == max(row.activations)
            assert row.tokens[row.peak] == tokenizer.decode([ids[latent, row.rank]])
            assert any("".join(row.tokens) in text for text in corpus.store.texts["text"])
        texts = firing.texts[latent].tolist()
        assert len(set(texts[: len(mine)])) == len(mine)
    assert Counter(row.kind for row in rows)["top"] > 50


def test_silent_contexts_come_from_texts_in_which_the_latent_never_fires(
    sae: LoadedSae, corpus: Corpus, latents: np.ndarray
) -> None:
    silent = silent_windows(sae, corpus, 4, WINDOW, seed=0)
    again = silent_windows(sae, corpus, 4, WINDOW, seed=0)
    np.testing.assert_array_equal(silent.rows, again.rows)
    per_text = np.array([part.max(0) for part in np.split(latents, corpus.store.offsets[1:-1])])
    for latent in range(sae.d_sae):
        rows = silent.rows[latent][silent.rows[latent] >= 0]
        texts = corpus.text_of_row[rows]
        assert len(set(texts)) == len(texts) == min(4, (per_text[:, latent] == 0).sum())
        assert (per_text[texts, latent] == 0).all()
    assert not silent.activations.any()
    assert len({tuple(rows) for rows in silent.rows.tolist()}) > 3  # not the same texts for all


def test_equal_texts_are_shown_once(sae: LoadedSae, corpus: Corpus) -> None:
    corpus.store.texts["text"] = [f"text {n % 3}" for n in range(len(corpus.store.offsets) - 1)]
    firing = fit_firing(sae, Corpus(corpus.store, PLACE, 1), K).result()
    assert set(firing.texts.unique().tolist()) <= {-1, 0, 1, 2}


def test_a_context_is_strict() -> None:
    with pytest.raises(ValueError, match="extra"):
        Context(feature=0, kind="top", rank=0, tokens=(), activations=(), peak=0, more=1)  # type: ignore[call-arg]


def test_tokens_that_share_a_character_are_shown_as_one(
    loaded: LoadedModel, sae: LoadedSae, tmp_path: Path
) -> None:
    text = "The 护士 was tired: 👩‍⚕️."
    write_corpus(tmp_path / "cjk.h5", loaded, texts=[text])
    with ActivationStore.open(tmp_path / "cjk.h5") as store:
        corpus = Corpus(store, PLACE, 1)
        firing = fit_firing(sae, corpus, 1).result()
        tokens = len(store.input_ids)
        top = top_of(sae, corpus, firing, tokens)
        acts = sae.encode(torch.from_numpy(store.read(PLACE.site, PLACE.layer))).numpy()[1:]
        silent = silent_windows(sae, corpus, 1, tokens, seed=0)
        rows = list(contexts(corpus, top, silent, loaded.tokenizer))
    assert rows
    for row in rows:
        assert text.endswith("".join(row.tokens))
        assert len(row.tokens) == len(row.activations) < tokens - 1
        assert {"护", "士", "👩"} <= {token.strip() for token in row.tokens}
        if row.kind == "top":
            assert max(row.activations) == pytest.approx(acts[:, row.feature].max(), rel=1e-4)
            assert row.activations[row.peak] == max(row.activations)
