from collections import Counter
from itertools import islice
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.organism.packing import IGNORED, PackedBatch, packed_batches


def unpack(batch: PackedBatch) -> list[tuple[int, ...]]:
    """The texts of a batch, in order."""
    texts: list[list[int]] = []
    for inputs, positions, targets in zip(*(rows.tolist() for rows in batch), strict=True):
        for token, position, target in zip(inputs, positions, targets, strict=True):
            if target == IGNORED:
                continue
            if position == 0:
                texts.append([token])
            assert texts[-1][-1] == token
            texts[-1].append(target)
    return [tuple(text) for text in texts]


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(2, 9), min_size=1, max_size=30),
    rows=st.integers(1, 4),
    context=st.integers(8, 20),
    seed=st.integers(0, 100),
)
def test_each_text_once_an_epoch(lengths: list[int], rows: int, context: int, seed: int) -> None:
    texts = [[0, *range(100 * n + 1, 100 * n + length)] for n, length in enumerate(lengths)]
    unpacked: list[tuple[int, ...]] = []
    for batch in packed_batches(texts, rows, context, seed):
        assert batch.inputs.shape == (rows, context)
        unpacked += unpack(batch)
        if len(unpacked) >= 2 * len(texts):
            break
    for epoch in range(2):
        seen = unpacked[epoch * len(texts) : (epoch + 1) * len(texts)]
        assert Counter(seen) == Counter(map(tuple, texts))


def test_no_row_could_hold_one_more_text() -> None:
    texts = [[0, 1, 2, 3, 4, 5]] * 10
    for batch in islice(packed_batches(texts, rows=3, context=14, seed=0), 5):
        assert (batch.targets != IGNORED).sum(1).tolist() == [10, 10, 10]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_packed_text_gets_the_logits_that_it_gets_alone(tiny_gpt2: Any, attention: str) -> None:
    tiny_gpt2.set_attn_implementation(attention)
    texts = [[0, *torch.randint(1, 300, (length,)).tolist()] for length in (3, 9, 5, 7, 12, 4, 6)]
    batch = next(packed_batches(texts, rows=2, context=24, seed=0))
    with torch.inference_mode():
        packed = tiny_gpt2(batch.inputs, position_ids=batch.positions, use_cache=False).logits
        real = packed[batch.targets != IGNORED]
        alone = [tiny_gpt2(torch.tensor([text[:-1]])).logits[0] for text in unpack(batch)]
    torch.testing.assert_close(real, torch.cat(alone), atol=1e-5, rtol=1e-5)
