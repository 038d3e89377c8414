"""Steering is part of what torch.compile sees, in one graph, when it comes first."""

from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.steering.gates import BandGate, TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add

IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])


@torch.no_grad()
def test_a_steered_model_compiles_without_a_graph_break(tiny_gpt2: Any) -> None:
    direction = torch.randn(32)
    model = tiny_gpt2.bfloat16()
    plain = model(IDS, use_cache=False).logits
    given = [
        Add(torch.randn(32), 2.0, layer=0, site="resid_pre", positions="last"),
        Ablate(direction, layer=1, site="resid_post", gates=(BandGate(direction, 0.0, 9.0),)),
        Add(torch.randn(32), layer=2, site="head_z", gates=(TokenGate((9, 40)),)),
    ]
    with steer(model, given):
        expected = model(IDS, use_cache=False).logits
        compiled = torch.compile(model, backend="eager", fullgraph=True)
        found = compiled(IDS, use_cache=False).logits
    assert torch.equal(found, expected)
    assert not torch.equal(found, plain)


@torch.no_grad()
def test_a_function_compiled_before_is_steered_within_and_not_after(tiny_gpt2: Any) -> None:
    push = Add(torch.randn(32), 2.0, layer=2, site="resid_post")
    ask = torch.compile(lambda ids: tiny_gpt2(ids, use_cache=False).logits, backend="eager")
    plain = ask(IDS)
    with steer(tiny_gpt2, push):
        assert torch.equal(ask(IDS), tiny_gpt2(IDS, use_cache=False).logits)
        assert not torch.equal(ask(IDS), plain)
    assert torch.equal(ask(IDS), plain)


def test_a_model_compiled_before_is_refused(tiny_gpt2: Any) -> None:
    push = Add(torch.randn(32), layer=0, site="resid_pre")
    compiled = torch.compile(tiny_gpt2, backend="eager")
    tiny_gpt2.transformer.h[1].compile(backend="eager")
    for model in (compiled, tiny_gpt2):
        with pytest.raises(BadInputError, match=r"compiled already.*torch\.compile within"):
            steer(model, push).__enter__()
