"""The corpus knows which tokens count and which texts are kept apart."""

from pathlib import Path

import numpy as np
import pytest

from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.sae.corpus import Corpus

from .conftest import CORPUS, PLACE, write_corpus


def test_first_positions_are_left_out(store: ActivationStore) -> None:
    used = Corpus(store, PLACE, 2).used
    parts = np.split(used, store.offsets[1:-1])
    assert all(not part[:2].any() and part[2:].all() for part in parts)
    used = Corpus(store, PLACE).used  # the first token is an attention sink
    assert all(not part[0] and part[1:].all() for part in np.split(used, store.offsets[1:-1]))


def test_no_row_is_left_out_where_attention_sinks_count(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    write_corpus(tmp_path / "with.h5", loaded, sinks="include")
    with ActivationStore.open(tmp_path / "with.h5") as store:
        assert Corpus(store, PLACE, 0).used.all()


def test_equal_texts_are_held_out_together(store: ActivationStore) -> None:
    store.texts["text"] = [f"text {number % 50}" for number in range(len(CORPUS))]
    corpus = Corpus(store, PLACE, 0)
    held_out = corpus.held_out(0.2, seed=3)
    held = set(store.texts["text"][held_out])
    assert len(held) == 10
    assert not held & set(store.texts["text"][~held_out])
    assert corpus.first_of_its_kind.sum() == 50
    assert corpus.first_of_its_kind[:50].all()
    assert not np.array_equal(held_out, corpus.held_out(0.2, seed=4))


def test_batches_are_whole_texts_that_cover_all(store: ActivationStore) -> None:
    batches = list(Corpus(store, PLACE, 0).batches(100))
    assert len(batches) > 3
    assert {where.start for where, _ in batches} < set(store.offsets.tolist())
    np.testing.assert_array_equal(
        np.concatenate([x for _, x in batches]), store.read(PLACE.site, PLACE.layer)
    )


def test_a_store_without_the_saes_place_is_refused(store: ActivationStore) -> None:
    with pytest.raises(
        BadInputError,
        match=r"keeps resid_post of layers \[1\], but the SAE reads blocks\.2\.hook_mlp_out: set "
        r"activations\.corpus\.sites to \[mlp_out\] and activations\.corpus\.layers to \[2\]",
    ):
        Corpus(store, HookPoint("mlp_out", 2), 0)
    with pytest.raises(BadInputError, match=r"layers to \[0\]"):
        Corpus(store, HookPoint("resid_post", 0), 0)


def test_a_store_of_last_tokens_is_refused(loaded: LoadedModel, tmp_path: Path) -> None:
    write_corpus(tmp_path / "last.h5", loaded, positions="last")
    with (
        ActivationStore.open(tmp_path / "last.h5") as store,
        pytest.raises(BadInputError, match="an SAE needs every token"),
    ):
        Corpus(store, PLACE, 0)


def test_a_share_that_leaves_nothing_is_refused(store: ActivationStore) -> None:
    with pytest.raises(BadInputError, match=r"sae\.heldout_share: 0\.001 of 168 .* texts is 0"):
        Corpus(store, PLACE, 0).held_out(0.001, seed=0)
