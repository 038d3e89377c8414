"""Coherence is the weighted mean over pairs, written out."""

import itertools

import pytest
import torch

from evenkeel.sae.coherence import coherence


def test_it_is_the_weighted_mean_over_all_pairs() -> None:
    embeddings = torch.randn(30, 6)
    ids = torch.stack([torch.randperm(30)[:5] for _ in range(4)])
    weights = torch.rand(4, 5)
    centered = embeddings - embeddings.mean(0)
    found = coherence(ids, weights, embeddings)
    for row in range(4):
        pairs = list(itertools.combinations(range(5), 2))
        total = [weights[row, i] * weights[row, j] for i, j in pairs]
        cosines = [
            torch.cosine_similarity(centered[ids[row, i]], centered[ids[row, j]], dim=0)
            for i, j in pairs
        ]
        expected = sum(w * c for w, c in zip(total, cosines, strict=True)) / sum(total)
        assert found[row].item() == pytest.approx(float(expected), abs=1e-5)


def test_the_same_token_throughout_is_coherent_and_a_single_one_is_neither() -> None:
    embeddings = torch.randn(9, 4)
    ids = torch.tensor([[3, 3, 3], [3, 4, 5]])
    found = coherence(ids, torch.tensor([[1.0, 2, 3], [7, 0, -1]]), embeddings)
    assert found[0].item() == pytest.approx(1)
    assert found[1].isnan()
