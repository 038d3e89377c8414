"""One streamed pass says the same as the whole product in float64."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evenkeel.errors import BadInputError
from evenkeel.sae import logit_weights as module
from evenkeel.sae.logit_weights import LogitWeights, logit_weights


@settings(max_examples=20)
@given(
    latents=st.integers(1, 40),
    width=st.integers(1, 24),
    vocab=st.integers(20, 1500),
    k=st.integers(1, 20),
    shift=st.sampled_from([0.0, 3.0, 30.0]),
    seed=st.integers(0, 10_000),
)
def test_it_agrees_with_a_direct_computation_in_float64(
    latents: int, width: int, vocab: int, k: int, shift: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    decoder = torch.randn(latents, width, generator=generator)
    unembedding = torch.randn(width, vocab, generator=generator).exp() + shift
    with pytest.MonkeyPatch.context() as patch:
        # Several blocks and tiles at these sizes.
        patch.setattr(module, "BLOCK", 16)
        patch.setattr(module, "TILE", 64)
        found = logit_weights(decoder, unembedding, k)
    direct = decoder.double().numpy() @ unembedding.double().numpy()
    close = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(found.mean, direct.mean(1), **close)
    np.testing.assert_allclose(found.std, direct.std(1), **close)
    np.testing.assert_allclose(found.skewness, stats.skew(direct, axis=1), **close)
    np.testing.assert_allclose(
        found.kurtosis, stats.kurtosis(direct, axis=1, fisher=False), **close
    )
    ordered = np.sort(direct, axis=1)
    np.testing.assert_allclose(found.top_values, ordered[:, ::-1][:, :k], **close)
    np.testing.assert_allclose(found.bottom_values, ordered[:, :k], **close)
    for ids, values in ((found.top_ids, found.top_values), (found.bottom_ids, found.bottom_values)):
        assert all(len(set(row.tolist())) == k for row in ids)
        np.testing.assert_allclose(np.take_along_axis(direct, ids.numpy(), 1), values, **close)


def test_some_latents_alone_are_what_they_are_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 16)
    generator = torch.Generator().manual_seed(0)
    decoder = torch.randn(40, 24, generator=generator)
    unembedding = torch.randn(24, 300, generator=generator)
    whole = logit_weights(decoder, unembedding, 3)
    parts = [logit_weights(decoder, unembedding, 3, some) for some in (range(32), range(32, 40))]

    together = LogitWeights.of(parts)

    for field in fields(LogitWeights):
        assert torch.equal(getattr(together, field.name), getattr(whole, field.name)), field.name


def test_some_latents_end_where_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 16)
    decoder, unembedding = torch.randn(40, 24), torch.randn(24, 300)

    found = logit_weights(decoder, unembedding, 3, range(16, 20))

    torch.testing.assert_close(found.mean, (decoder @ unembedding).mean(1)[16:20])


def test_extremes_of_one_lane_and_of_one_tile_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TILE", 8)
    unembedding = torch.linspace(-1, 1, 60)[torch.randperm(60)][None]
    one_lane, one_tile = [3, 11, 59, 27, 35], [41, 40, 47, 42, 45]
    unembedding[0, one_lane] = torch.arange(9.0, 4.0, -1.0)
    unembedding[0, one_tile] = -torch.arange(9.0, 4.0, -1.0)

    found = logit_weights(torch.ones(1, 1), unembedding, 5)

    assert found.top_ids[0].tolist() == one_lane
    assert found.bottom_ids[0].tolist() == one_tile


def test_an_extreme_is_found_where_all_others_are_on_the_other_side_of_zero() -> None:
    unembedding = -torch.ones(1, 300)
    unembedding[0, 299] = 5.0  # in the last, padded tile
    found = logit_weights(torch.ones(2, 1), unembedding, 3)
    assert found.top_ids[:, 0].tolist() == [299, 299]
    assert found.top_values[0].tolist() == pytest.approx([5, -1, -1])
    assert found.bottom_values[0].tolist() == pytest.approx([-1, -1, -1])


def test_a_latent_that_says_nothing_has_no_shape() -> None:
    found = logit_weights(torch.zeros(1, 4), torch.randn(4, 50), 2)
    assert found.std.item() == 0
    assert found.skewness.isnan().all()


def test_misfits_are_refused() -> None:
    with pytest.raises(BadInputError, match="width 4, but the unembedding reads width 5"):
        logit_weights(torch.ones(2, 4), torch.ones(5, 50), 2)
    with pytest.raises(BadInputError, match="must be 1 to 50"):
        logit_weights(torch.ones(2, 4), torch.ones(4, 50), 51)
