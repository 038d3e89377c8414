"""Gates and edits in half precision do what they do in float32."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch

from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate, Gate, ProbeGate, TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.latents import Clamp
from evenkeel.steering.plan import plan
from evenkeel.steering.positions import PositionTracker
from tests.models.test_architecture import tiny_model
from tests.steering.saes import random_sae

IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])


def every_kind() -> list[Intervention]:
    direction = torch.randn(32)
    return [
        Add(direction, 3.0, layer=0, site="resid_pre", gates=(TokenGate((8, 9, 7)),)),
        Ablate(direction, layer=0, site="attn_out", gates=(BandGate(direction, 0.0, 0.3),)),
        MeanAblate(torch.randn(2, 32), direction, layer=1, site="head_z", positions="last"),
        Erase(
            torch.randn(32, 1) / 6, torch.randn(1, 32), direction, layer=1, site="mlp_out",
            positions="prompt",
        ),
        Ablate(direction, layer=1, site="resid_post", gates=(ProbeGate(direction, 0.0),)),
    ]  # fmt: skip


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("kind", [ProbeGate, BandGate])
def test_gates_decide_in_bfloat16_as_exactly_as_the_stream_allows(
    kind: type[Gate], autocast: bool
) -> None:
    direction = torch.randn(64)
    stream = (torch.randn(1, 2000, 64) + 4 * direction).bfloat16()  # far from zero, as real ones
    stream = stream.float() if autocast else stream
    exact = stream.double() @ direction.double()
    if kind is ProbeGate:
        gate: Gate = ProbeGate(direction, bias=-200.0, threshold=float(exact.median()) - 200.0)
        margin = exact - exact.median()
    else:
        norm = direction.double().norm()
        gate = BandGate(direction, centre=float(exact.mean() / norm), bound=0.7)
        margin = 0.7 - ((exact - exact.mean()) / norm).abs()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        is_open = gate(stream)
    sure = margin.abs() > 1e-3
    assert sure.sum() > 1900
    assert 500 < is_open.sum() < 1500
    assert torch.equal(is_open[sure], margin[sure] > 0)


@torch.no_grad()
def test_steering_holds_in_bfloat16(tiny_gpt2: Any) -> None:
    spec = every_kind()
    with steer(tiny_gpt2, spec):
        expected = tiny_gpt2(IDS).logits
        with torch.autocast("cpu", torch.bfloat16):
            mixed = tiny_gpt2(IDS).logits
    half = tiny_gpt2.bfloat16()
    plain = half(IDS).logits.float()
    with steer(half, spec):
        found = half(IDS).logits
    assert found.dtype == torch.bfloat16
    moved = (expected - plain).abs().max()
    assert (found.float() - expected).abs().max() < 0.1 * moved
    assert (mixed.float() - expected).abs().max() < 0.1 * moved


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_nothing_of_a_projection_is_left_but_the_rounding_of_the_stream(dtype: torch.dtype) -> None:
    direction = torch.nn.functional.normalize(torch.randn(64), dim=0)
    stream = (torch.randn(1, 200, 64) + 30 * direction).to(dtype)
    exact = stream.double() - (stream.double() @ direction.double())[..., None] * direction.double()
    found = Ablate(direction, layer=0, site="resid_post")(stream)
    assert found.dtype == dtype
    half_a_step = 0.51 * torch.finfo(dtype).eps
    torch.testing.assert_close(found.double(), exact, rtol=half_a_step, atol=2e-5)


@torch.no_grad()
def test_autocast_rounds_no_edit(tiny_gpt2: Any) -> None:
    stream = torch.randn(1, 200, 32) + 30 * torch.randn(32)
    clamp = Clamp.of(random_sae("resid_post", 1), (0, 3), value=2.0)
    for item in [*every_kind(), clamp]:
        everywhere = replace(item, positions="all", gates=(), sinks="include")
        (place,) = plan(tiny_gpt2, [everywhere])
        expected = place.edit(stream)
        assert not torch.equal(expected, stream)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(place.edit(stream), expected), item
            assert torch.equal(everywhere(stream), expected), item


@torch.no_grad()
def test_an_infinite_first_token_stays_alone(tiny_gpt2: Any) -> None:
    """In float16 a sink of 88,093 is infinite; nothing of it may reach other positions' edits."""
    stream = torch.randn(2, 5, 32).half()
    stream[:, 0] = torch.inf
    tracker = PositionTracker()
    (place,) = plan(tiny_gpt2, [Ablate(torch.randn(32), layer=1, site="resid_post")], tracker)
    tracker.begin(rows=2, start=0, columns=5)
    edited = place.edit(stream)
    assert torch.isfinite(edited[:, 1:]).all()
    assert torch.isinf(edited[:, 0]).all()


@torch.no_grad()
def test_quantized_and_offloaded_weights_are_steered_as_the_model_that_they_were() -> None:
    from accelerate import cpu_offload

    model = tiny_model("llama")
    spec = [
        Ablate(torch.randn(32), layer=0, site="head_z"),
        Ablate(torch.randn(32), layer=1, site="resid_pre", positions="last"),
        Add(torch.randn(32), 3.0, layer=2, site="mlp_out", gates=(TokenGate((8, 9, 7)),)),
    ]
    plain = model(IDS).logits
    with steer(model, spec):
        expected = model(IDS).logits
    kinds = {torch.nn.Linear}
    packed = torch.ao.quantization.quantize_dynamic(deepcopy(model), kinds, torch.qint8)
    assert not list(packed.model.layers[0].self_attn.o_proj.parameters())
    with steer(packed, spec):
        found = packed(IDS).logits
    moved = (expected - plain).abs().max()
    assert (found - expected).abs().max() < 0.2 * moved
    away = cpu_offload(model, execution_device=torch.device("cpu"))
    assert next(away.parameters()).device.type == "meta"
    with steer(away, spec):
        torch.testing.assert_close(away(IDS).logits, expected, atol=1e-5, rtol=1e-5)
