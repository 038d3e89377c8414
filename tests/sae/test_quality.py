"""Measures of an SAE, against direct computations on all held-out tokens at once."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.activations.store import ActivationStore
from evenkeel.models.loading import LoadedModel
from evenkeel.sae import quality
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.quality import ce_loss_recovered, measure_reconstruction, warn_of_quality

from .conftest import PLACE


def test_reconstruction_measures_are_those_of_a_direct_computation(
    sae: LoadedSae, store: ActivationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "rows_at_once", lambda _: 100)
    corpus = Corpus(store, PLACE, 1)
    held_out = corpus.held_out(0.3, seed=0)
    measures, frequency = measure_reconstruction(sae, corpus, held_out)
    x = torch.from_numpy(store.read(PLACE.site, PLACE.layer))
    test = torch.from_numpy(corpus.used & held_out[corpus.text_of_row])
    fired = sae.encode(x) > 0
    residue = (x - sae.decode(sae.encode(x)))[test].square().sum()
    variance = (x[test] - x[test].mean(0)).square().sum()
    assert measures == pytest.approx(
        {
            "explained_variance": float(1 - residue / variance),
            "l0": float(fired[test].sum(1).float().mean()),
            "dead_fraction": float((~fired[corpus.used].any(0)).float().mean()),
        },
        abs=1e-4,
    )
    torch.testing.assert_close(frequency.float(), fired[corpus.used].float().mean(0))


class Perfect(LoadedSae):
    """An SAE that loses nothing."""

    def decode(self, latents: Any, like: Any = None) -> Any:
        return like


def test_ce_loss_recovered_is_one_without_loss_and_zero_for_nothing(
    sae: LoadedSae, loaded: LoadedModel, store: ActivationStore
) -> None:
    texts = np.split(store.input_ids, store.offsets[1:-1])[:20]
    perfect = Perfect(**vars(sae))
    found = ce_loss_recovered(loaded.model, perfect, texts, 0)
    assert found["ce_loss_recovered"] == 1
    losses = []
    for ids in texts:
        row = torch.tensor(ids[None].astype(np.int64))
        with torch.no_grad():
            losses.append(float(loaded.model(row, labels=row).loss) * (len(ids) - 1))
    assert found["ce_loss"] == pytest.approx(sum(losses) / sum(len(ids) - 1 for ids in texts), 1e-5)

    silent = Perfect(**vars(sae))
    object.__setattr__(silent, "decode", lambda latents, like: torch.zeros_like(like))
    assert ce_loss_recovered(loaded.model, silent, texts, 0)["ce_loss_recovered"] == 0


def test_logits_are_held_a_few_at_a_time(
    sae: LoadedSae, loaded: LoadedModel, store: ActivationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = np.split(store.input_ids, store.offsets[1:-1])[:20]
    whole = ce_loss_recovered(loaded.model, sae, texts, 0)
    vocabulary = loaded.model.config.vocab_size
    monkeypatch.setattr("evenkeel.models.logits.LOGITS_AT_ONCE", 7 * vocabulary)
    unembedded: list[int] = []
    loaded.model.lm_head.register_forward_hook(
        lambda _module, _args, output: unembedded.append(output.numel())
    )
    found = ce_loss_recovered(loaded.model, sae, texts, 0)
    assert max(unembedded) <= 7 * vocabulary
    assert sum(unembedded) == 3 * vocabulary * sum(len(ids) - 1 for ids in texts)
    assert found == pytest.approx(whole, rel=1e-5)


GOOD = {"explained_variance": 0.9, "ce_loss_recovered": 0.95, "dead_fraction": 0.1}


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ({}, []),
        ({"explained_variance": -11.0}, ["explains -11 of the variance"]),
        ({"explained_variance": math.nan}, ["explains nan of the variance"]),
        ({"dead_fraction": 0.83}, ["83% of the latents of the SAE fire on no token"]),
        ({"ce_loss_recovered": 0.2}, ["0.2 of the loss"]),
        ({"explained_variance": 0.1, "dead_fraction": 0.9}, ["explains 0.1", "90% of the latents"]),
    ],
)
def test_an_sae_that_says_little_is_warned_of(
    measured: dict[str, float], words: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    found = warn_of_quality(GOOD | measured)
    assert len(found) == len(words) == len(caplog.messages)
    for warning, word, logged in zip(found, words, caplog.messages, strict=True):
        assert word in warning
        assert warning in logged
