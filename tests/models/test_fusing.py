"""Fewer kernels, the same function."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from transformers import GPTNeoConfig, GPTNeoForCausalLM
from transformers.activations import ACT2FN

from evenkeel.models.fusing import fuse_gelu


@pytest.mark.parametrize("name", ["gelu_new", "gelu_fast"])
def test_the_fused_kernel_computes_the_same_function(name: str) -> None:
    holder = torch.nn.Sequential(ACT2FN[name])
    values = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    expected = holder(values)
    fuse_gelu(holder)
    assert isinstance(holder[0], torch.nn.GELU)
    torch.testing.assert_close(holder(values), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["gelu", "quick_gelu", "relu", "silu"])
def test_other_functions_are_left_alone(name: str) -> None:
    holder = torch.nn.Sequential(ACT2FN[name])
    before = holder[0]
    fuse_gelu(holder)
    assert holder[0] is before


def test_a_whole_model_keeps_its_logits_and_its_configuration(tiny_gpt2: Any) -> None:
    neo = GPTNeoForCausalLM(
        GPTNeoConfig(
            vocab_size=50,
            bos_token_id=0,
            eos_token_id=0,
            hidden_size=16,
            num_layers=2,
            num_heads=2,
            attention_types=[[["global", "local"], 1]],
            max_position_embeddings=32,
        )
    ).eval()
    for model in (tiny_gpt2, neo):
        ids = torch.arange(3, 13)[None]
        fused = deepcopy(model)
        fuse_gelu(fused)
        layers = model.config.num_hidden_layers
        assert sum(isinstance(module, torch.nn.GELU) for module in fused.modules()) == layers
        assert fused.config.to_dict() == model.config.to_dict()
        with torch.no_grad():
            torch.testing.assert_close(fused(ids).logits, model(ids).logits)
