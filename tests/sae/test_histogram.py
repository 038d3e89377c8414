"""The histogram counts every token of the vocabulary where its weight is."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.sae import histogram as module
from evenkeel.sae.histogram import weight_histograms


@settings(max_examples=20)
@given(latents=st.integers(1, 20), vocab=st.integers(2, 400), seed=st.integers(0, 1000))
def test_it_agrees_with_numpy(latents: int, vocab: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    decoder = torch.randn(latents, 6, generator=generator)
    unembedding = torch.randn(6, vocab, generator=generator)
    before, module.BLOCK = module.BLOCK, 7
    try:
        found = weight_histograms(decoder, unembedding, bins=10)
    finally:
        module.BLOCK = before
    assert (found.sum(1) == vocab).all()
    for counts, row in zip(found.numpy(), (decoder @ unembedding).numpy(), strict=True):
        expected, _ = np.histogram(row, bins=10)
        # A weight within rounding of an edge may fall to either side of it.
        assert np.abs(np.cumsum(counts) - np.cumsum(expected)).max() <= 1


def test_weights_that_are_all_the_same_are_in_the_first_bin() -> None:
    found = weight_histograms(torch.zeros(2, 3), torch.randn(3, 50), bins=4)
    assert found.tolist() == [[50, 0, 0, 0]] * 2
