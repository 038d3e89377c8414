"""Gates and edits in half precision do what they do in float32."""

from typing import Any

import pytest
import torch

from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate, Gate, ProbeGate, TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention

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
