"""Tokens are counted where blocks compute, twice where gradients flow, and nothing stays hooked."""

from typing import Any

import pytest
import torch

from evenkeel.models.token_count import counted_tokens, with_tokens
from evenkeel.scoring.prefix_reuse import recorded, resumed
from tests.models.families import tiny_model

IDS = torch.arange(10).view(2, 5)


def hooks_of(model: Any) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def test_a_forward_pass_counts_its_tokens(tiny_gpt2: Any) -> None:
    before = hooks_of(tiny_gpt2)
    with counted_tokens(tiny_gpt2) as count, torch.no_grad():
        tiny_gpt2(IDS)
        assert count.tokens == 10
        tiny_gpt2(IDS[:1])
    assert count.tokens == 15
    tiny_gpt2(IDS)
    assert count.tokens == 15
    assert hooks_of(tiny_gpt2) == before


@pytest.mark.parametrize("family", ["llama", "mixtral", "deepseek_v3", "gemma2", "gpt_neox"])
def test_every_family_counts_alike(family: str) -> None:
    model = tiny_model(family)
    with counted_tokens(model) as count, torch.no_grad():
        model(IDS)
    assert count.tokens == 10


def test_blocks_whose_outputs_are_reused_do_not_count(tiny_gpt2: Any) -> None:
    with torch.no_grad(), recorded(tiny_gpt2) as outputs:
        tiny_gpt2(IDS)
    blocks = len(outputs)
    with counted_tokens(tiny_gpt2) as count, torch.no_grad(), resumed(tiny_gpt2, outputs, 1):
        tiny_gpt2(IDS, use_cache=False)
    assert count.tokens == round(10 * (blocks - 1) / blocks)


def test_tokens_that_gradients_flow_through_count_twice(tiny_gpt2: Any) -> None:
    tiny_gpt2.requires_grad_(False)
    inputs = tiny_gpt2.get_input_embeddings()(IDS).requires_grad_()
    _, tokens = with_tokens(tiny_gpt2, tiny_gpt2)(inputs_embeds=inputs)
    assert tokens == 20


def test_the_count_ends_with_an_error(tiny_gpt2: Any) -> None:
    before = hooks_of(tiny_gpt2)
    with pytest.raises(ValueError, match="stop"), counted_tokens(tiny_gpt2):
        raise ValueError("stop")
    assert hooks_of(tiny_gpt2) == before
