"""Every backend gives the logits and the text of the default one, and leaves no trace."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import ARCHITECTURES
from evenkeel.steering.bias_edit import bias_edit
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.wrapper import wrap
from tests.models.test_architecture import tiny_model

Backend = Callable[[Any, Any], AbstractContextManager[None]]
IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])


def logits_and_text(model: Any, backend: Backend, given: list[Intervention]) -> tuple[Any, Any]:
    model.generation_config.eos_token_id = None
    with backend(model, given), torch.no_grad():
        options = {"attention_mask": torch.ones_like(IDS), "do_sample": False}
        return model(IDS).logits, model.generate(IDS, max_new_tokens=6, **options)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape)


def what_weights_can_hold() -> list[list[Intervention]]:
    everywhere = [{"layer": 0, "site": "resid_pre"}] + [
        {"layer": layer, "site": site} for layer in range(3) for site in ("attn_out", "mlp_out")
    ]
    direction = random(32)
    return [
        [Add(random(32), 2.0, layer=layer, site="resid_post") for layer in range(3)],
        [Add(random(32), 2.0, layer=layer, site="resid_pre") for layer in range(3)],
        [Ablate(direction, **place) for place in everywhere],
        [
            # The stream is edited last, though it comes first in the list.
            Add(random(32), layer=1, site="resid_post"),
            MeanAblate(random(2, 32), random(32), layer=1, site="mlp_out"),
            Ablate(random(32), 0.5, layer=1, site="mlp_out"),
        ],
        [
            Ablate(random(2, 32), layer=2, site="head_z"),
            Erase(random(32, 1) / 9, random(1, 32), random(32), layer=2, site="attn_out"),
            Add(random(32), layer=2, site="head_z"),
        ],
    ]


@pytest.mark.parametrize("case", range(5))
@pytest.mark.parametrize("backend", [wrap, bias_edit])
def test_backends_agree_with_hooks(tiny_gpt2: Any, backend: Backend, case: int) -> None:
    given = what_weights_can_hold()[case]
    parameters = dict(tiny_gpt2.named_parameters(remove_duplicate=False))
    copies = {name: value.clone() for name, value in parameters.items()}
    before = [sorted(vars(module)) for module in tiny_gpt2.modules()]
    plain, _ = logits_and_text(tiny_gpt2, wrap, [])
    logits, text = logits_and_text(tiny_gpt2, steer, given)
    other_logits, other_text = logits_and_text(tiny_gpt2, backend, given)
    assert (logits - plain).abs().max() > 1e-2
    torch.testing.assert_close(other_logits, logits, atol=1e-4, rtol=1e-5)
    assert torch.equal(other_text, text)
    after = dict(tiny_gpt2.named_parameters(remove_duplicate=False))
    assert after.keys() == parameters.keys()
    assert all(after[name] is parameter for name, parameter in parameters.items())
    assert all(torch.equal(after[name], copies[name]) for name in copies)
    assert before == [sorted(vars(module)) for module in tiny_gpt2.modules()]
    assert torch.equal(tiny_gpt2(IDS).logits, plain)


@pytest.mark.parametrize("backend", [wrap, bias_edit])
def test_backends_leave_no_trace_after_an_exception(tiny_gpt2: Any, backend: Backend) -> None:
    plain = tiny_gpt2(IDS).logits

    def fail_inside() -> None:
        with backend(tiny_gpt2, [Add(random(32), layer=1, site="resid_post")]):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert torch.equal(tiny_gpt2(IDS).logits, plain)


def test_wrapped_positions_and_gates_are_those_of_hooks(tiny_gpt2: Any) -> None:
    gate = BandGate(random(32), 0.0, 3.0)
    given: list[Intervention] = [
        Add(random(32), 4.0, layer=0, site="resid_pre", positions="last"),
        Ablate(random(32), layer=1, site="resid_post", positions="generated", gates=(gate,)),
    ]
    logits, text = logits_and_text(tiny_gpt2, steer, given)
    other_logits, other_text = logits_and_text(tiny_gpt2, wrap, given)
    assert torch.equal(logits, other_logits)
    assert torch.equal(text, other_text)
    with (
        wrap(tiny_gpt2, given),
        pytest.raises(BadInputError, match="already steered by this backend"),
    ):
        wrap(tiny_gpt2, given).__enter__()


@pytest.mark.parametrize("family", sorted(ARCHITECTURES))
def test_weights_hold_the_same_in_every_family_or_say_that_they_cannot(family: str) -> None:
    held = 0
    for given in what_weights_can_hold():
        model = tiny_model(family)
        try:
            logits, text = logits_and_text(model, bias_edit, given)
        except BadInputError:
            continue
        held += 1
        expected, expected_text = logits_and_text(model, steer, given)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-4)
        assert torch.equal(text, expected_text)
    post_norm = family in ("gemma2", "gemma3_text", "olmo2")
    assert held == {"opt": 3, "gemma": 3}.get(family, 0 if post_norm else 5)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Ablate(torch.ones(32), layer=1, site="resid_post"), "in the stream weights can only add"),
        (
            Add(torch.ones(32), layer=1, site="mlp_out", positions="prompt"),
            "Add at layer 1, mlp_out cannot be written into weights: weights act at all positions",
        ),
        (
            Add(torch.ones(32), layer=1, site="mlp_out", gates=(BandGate(torch.ones(32), 0, 1),)),
            "know no gates",
        ),
    ],
)
def test_what_weights_cannot_hold_is_refused(
    tiny_gpt2: Any, item: Intervention, message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        bias_edit(tiny_gpt2, item).__enter__()
