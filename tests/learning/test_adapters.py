"""LoRA adapters: what they add, and that nothing is left of them."""

import sys
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from evenkeel.errors import BadInputError
from evenkeel.learning.adapters import Adapter, adapted, injected

pytest.importorskip("peft")
IDS = torch.randint(1, 299, (2, 9), generator=torch.Generator().manual_seed(1))


def logits(model: Any) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(IDS).logits
    return found


def random_adapter(model: Any, rank: int = 2) -> Adapter:
    with injected(model, rank) as factors:
        shapes = {name: factor.shape for name, factor in factors.items()}
    return Adapter(rank, {name: torch.randn(shape) / 8 for name, shape in shapes.items()})


def snapshot(model: Any) -> list[Any]:
    return [
        [(name, id(module), type(module)) for name, module in model.named_modules()],
        [(name, id(p), p.requires_grad, p.dtype) for name, p in model.named_parameters()],
        sorted(vars(model)),
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_its_adapter_the_model_is_what_it_was_bit_for_bit(
    tiny_gpt2: Any, dtype: torch.dtype
) -> None:
    model = tiny_gpt2.to(dtype)
    next(model.parameters()).requires_grad_(False)
    before, tensors = snapshot(model), {n: t.clone() for n, t in model.state_dict().items()}
    unadapted = logits(model)
    adapter = random_adapter(model)
    assert all(factor.dtype == torch.float32 for factor in adapter.factors.values())
    with adapted(model, adapter):
        assert not torch.equal(logits(model), unadapted)
        assert logits(model).dtype == dtype
    with pytest.raises(RuntimeError, match="midway"), adapted(model, adapter):
        raise RuntimeError("midway")
    assert snapshot(model) == before
    assert all(torch.equal(t, tensors[name]) for name, t in model.state_dict().items())
    assert torch.equal(logits(model), unadapted)


def test_a_new_adapter_does_nothing_and_one_at_zero_neither(tiny_gpt2: Any) -> None:
    unadapted = logits(tiny_gpt2)
    with injected(tiny_gpt2, 4) as factors:
        assert torch.equal(logits(tiny_gpt2), unadapted)
        asked = {n for n, p in tiny_gpt2.named_parameters() if p.requires_grad}
        assert asked == set(factors)
    with adapted(tiny_gpt2, random_adapter(tiny_gpt2), 0.0):
        assert torch.equal(logits(tiny_gpt2), unadapted)


@pytest.mark.parametrize("multiplier", [1.0, 0.25])
def test_an_adapter_adds_a_product_to_every_linear_map_of_the_blocks(
    tiny_gpt2: Any, multiplier: float
) -> None:
    adapter, changed = random_adapter(tiny_gpt2), deepcopy(tiny_gpt2)
    maps = {name: m for name, m in changed.named_modules() if isinstance(m, Conv1D)}
    assert len(adapter.factors) == 2 * len(maps)
    with torch.no_grad():
        for name, module in maps.items():
            a, b = (adapter.factors[f"{name}.lora_{side}.evenkeel.weight"] for side in "AB")
            module.weight += multiplier * (b @ a).mT
    with adapted(tiny_gpt2, adapter, multiplier) as model:
        torch.testing.assert_close(logits(model), logits(changed), atol=1e-4, rtol=1e-4)


def test_first_factors_follow_from_the_seed_alone(tiny_gpt2: Any) -> None:
    def drawn(seed: int) -> list[Tensor]:
        with injected(tiny_gpt2, 2, seed=seed) as factors:
            return [factor.detach().clone() for factor in factors.values()]

    state = torch.get_rng_state()
    first, again, other = drawn(0), drawn(0), drawn(1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert not all(torch.equal(*pair) for pair in zip(first, other, strict=True))


def test_without_peft_the_message_says_what_to_do(
    tiny_gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(BadInputError, match=r"cda_lora, dpo_lora.* extra 'peft', or drop them"):
        injected(tiny_gpt2, 2).__enter__()
