"""Rows that no token has are no part of the vocabulary."""

from typing import Any

import torch

from evenkeel.models.loading import LoadedModel
from evenkeel.models.vocabulary import embeddings_of, unembedding_of


def test_padding_rows_are_left_out(tiny_gpt2: Any, tokenizer: Any) -> None:
    loaded = LoadedModel(tiny_gpt2, tokenizer, provenance=None)  # type: ignore[arg-type]
    embeddings, unembedding = embeddings_of(loaded).clone(), unembedding_of(loaded).clone()
    assert embeddings.shape == (len(tokenizer), 32)
    assert torch.equal(unembedding, embeddings.T)  # they are tied
    tiny_gpt2.resize_token_embeddings(len(tokenizer) + 64)
    assert torch.equal(embeddings_of(loaded), embeddings)
    assert torch.equal(unembedding_of(loaded), unembedding)
    tiny_gpt2.resize_token_embeddings(len(tokenizer) - 10)  # and a row for fewer
    assert torch.equal(embeddings_of(loaded), embeddings[:-10])
