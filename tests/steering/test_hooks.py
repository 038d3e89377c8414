from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.sites import SITES
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add

IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])
ONES = torch.ones_like(IDS)
NOT_FIRST = torch.arange(5).expand(2, 5) > 0


def state(model: Any) -> tuple[Any, ...]:
    hooks = [
        (list(module._forward_hooks), list(module._forward_pre_hooks), sorted(vars(module)))
        for module in model.modules()
    ]
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}, hooks


def assert_same_state(before: tuple[Any, ...], after: tuple[Any, ...]) -> None:
    assert before[1] == after[1]
    assert before[0].keys() == after[0].keys()
    assert all(torch.equal(tensor, after[0][name]) for name, tensor in before[0].items())


@pytest.mark.parametrize("site", SITES)
@torch.no_grad()
def test_agrees_with_the_model_recomputed_by_hand(
    tiny_gpt2: Any, reference: Callable[..., Tensor], site: str
) -> None:
    interventions = [
        Add(torch.randn(32), 1.5, layer=1, site=site),
        Ablate(torch.randn(2, 32), layer=1, site=site),
        Add(torch.randn(32), -2.0, layer=2, site=site),
    ]

    def at(layer: int, place: str, stream: Tensor) -> Tensor:
        for intervention in interventions:
            if (intervention.layer, intervention.site) == (layer, place):
                stream = intervention(stream, NOT_FIRST)
        return stream

    plain = tiny_gpt2(IDS).logits
    with steer(tiny_gpt2, interventions):
        steered = tiny_gpt2(IDS).logits
    expected = reference(tiny_gpt2, IDS, ONES, at)
    torch.testing.assert_close(steered, expected, atol=1e-5, rtol=1e-5)
    assert (steered - plain).abs().max() > 1e-2
    assert torch.equal(tiny_gpt2(IDS).logits, plain)


def test_the_model_is_the_same_afterwards_also_after_an_exception(tiny_gpt2: Any) -> None:
    before, plain = state(tiny_gpt2), tiny_gpt2(IDS).logits
    add = Add(torch.randn(32), layer=0, site="resid_pre", positions="last")

    def fail_inside() -> None:
        with steer(tiny_gpt2, add):
            tiny_gpt2.generate(IDS, attention_mask=ONES, max_new_tokens=2, do_sample=False)
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert_same_state(before, state(tiny_gpt2))
    assert torch.equal(tiny_gpt2(IDS).logits, plain)


@torch.no_grad()
def test_nested_blocks_act_in_order_and_leave_in_order(tiny_gpt2: Any) -> None:
    direction = torch.randn(32)
    add = Add(direction, 3.0, layer=1, site="resid_post")
    ablate = Ablate(direction, layer=1, site="resid_post")
    with steer(tiny_gpt2, [add, ablate]):
        together = tiny_gpt2(IDS).logits
    with steer(tiny_gpt2, add):
        outer = tiny_gpt2(IDS).logits
        with steer(tiny_gpt2, ablate):
            assert torch.equal(tiny_gpt2(IDS).logits, together)
        assert torch.equal(tiny_gpt2(IDS).logits, outer)
    with steer(tiny_gpt2, [ablate, add]):
        assert not torch.allclose(tiny_gpt2(IDS).logits, together, atol=1e-2)


@pytest.mark.parametrize("recorded_before", [False, True])
@torch.no_grad()
def test_hidden_states_are_the_edited_ones(tiny_gpt2: Any, recorded_before: bool) -> None:
    if recorded_before:  # transformers hooks the blocks once, at the first request, and for good
        tiny_gpt2(IDS, output_hidden_states=True)
    direction = torch.randn(32)
    with steer(tiny_gpt2, Ablate(direction, layer=1, site="resid_post")):
        states = tiny_gpt2(IDS, output_hidden_states=True).hidden_states
    assert (states[1] @ direction).abs().max() > 0.1
    assert (states[2] @ direction)[NOT_FIRST].abs().max() < 1e-4


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (Add(torch.ones(32), layer=3, site="resid_post"), "layer 3 does not exist"),
        (Add(torch.ones(32), layer=1, site="resid_mid"), "site 'resid_mid' does not exist"),
        (Add(torch.ones(31), layer=1, site="resid_post"), "width of 31, but this model has 32"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_hooked(
    tiny_gpt2: Any, add: Add, message: str
) -> None:
    before = state(tiny_gpt2)
    fits = Add(torch.ones(32), layer=0, site="resid_post", positions="prompt")
    with pytest.raises(BadInputError, match=message), steer(tiny_gpt2, [fits, add]):
        pass
    assert_same_state(before, state(tiny_gpt2))
