"""A feature that promotes tokens passes, one that is not steered along does not."""

from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.controls.receptivity import measure_receptivity, passing
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.params import SamplingParams
from evenkeel.sae.loading import LoadedSae
from tests.conftest import TEXTS
from tests.steering.saes import random_sae

PROMOTED = {3: 40, 7: 60}
HOW: dict[str, Any] = {"tokens": 1, "batch_size": 4, "resamples": 500, "seed": 1}
SAMPLED = SamplingParams(max_new_tokens=6, temperature=0.1, top_p=1.0, samples=1)


@pytest.fixture
def loaded(tiny_folder: Path) -> LoadedModel:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    found = load_model(tiny_folder, "cpu")
    found.model.generation_config.eos_token_id = None
    return found


@pytest.fixture
def planted(loaded: LoadedModel) -> LoadedSae:
    """Features 3 and 7 write what the unembedding reads as one token each."""
    sae = random_sae("resid_post", 2)
    unembedding = loaded.model.get_output_embeddings().weight.detach()
    for feature, token in PROMOTED.items():
        row = unembedding[token] - unembedding.mean(0)
        sae.module.W_dec.data[feature] = row / row.norm()
    return sae


def test_planted_features_pass_by_far_more_than_random_ones_in_their_place(
    loaded: LoadedModel, planted: LoadedSae
) -> None:
    before = loaded.model(torch.tensor([[5, 9, 2]])).logits
    found = measure_receptivity(loaded, planted, {7: 100.0, 3: 100.0}, TEXTS, SAMPLED, **HOW)
    assert [each.feature for each in found] == [7, 3]
    for each in found:
        assert each.tokens == (loaded.tokenizer.decode([PROMOTED[each.feature]]),)
        assert each.passes
        assert not each.control_passes
        assert each.hits[1] > 0.9 > each.hits[0]
        assert each.change.low is not None
        assert each.change.low > 0
        assert each.change.low > each.control_change
    assert torch.equal(loaded.model(torch.tensor([[5, 9, 2]])).logits, before)
    again = measure_receptivity(loaded, planted, {7: 100.0, 3: 100.0}, TEXTS, SAMPLED, **HOW)
    assert again == found


def test_nothing_moves_where_nothing_is_added(loaded: LoadedModel, planted: LoadedSae) -> None:
    (still,) = measure_receptivity(loaded, planted, {3: 0.0}, TEXTS, SAMPLED, **HOW)
    assert still.change.value == still.control_change == 0
    assert still.q == still.control_q == 1
    assert still.hits[0] == still.hits[1]
    (away,) = measure_receptivity(loaded, planted, {3: -100.0}, TEXTS, SAMPLED, **HOW)
    assert away.change.value is not None
    assert away.change.value < 0
    assert not away.passes


def test_the_share_has_wilsons_interval() -> None:
    share = passing([True] * 9 + [False])
    assert share.value == 0.9
    assert share.low == pytest.approx(0.5958, abs=1e-4)  # Wilson 1927, as in textbooks
    assert share.high == pytest.approx(0.9821, abs=1e-4)


def test_too_little_to_compare_is_refused(loaded: LoadedModel, planted: LoadedSae) -> None:
    with pytest.raises(BadInputError, match="1 prompts and 11 other features"):
        measure_receptivity(loaded, planted, {3: 1.0}, TEXTS[:1], SAMPLED, **HOW)
    with pytest.raises(BadInputError, match=r"features \[12\]: this SAE"):
        measure_receptivity(loaded, planted, {12: 1.0}, TEXTS, SAMPLED, **HOW)
