"""Learned edits: what LoReFT says, within its span and nowhere else."""

from typing import Any

import pytest
import torch
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.steering.gates import ProbeGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.loreft import Loreft

PLACE: dict[str, Any] = {"layer": 1, "site": "resid_post"}


def rows(rank: int, width: int = 32) -> Tensor:
    return torch.linalg.qr(torch.randn(width, rank, dtype=torch.float64)).Q.mT


def edit(rank: int = 2, **fields: Any) -> Loreft:
    source = torch.randn(rank, 32, dtype=torch.float64)
    return Loreft(rows(rank), source, torch.randn(rank).double(), **PLACE | fields)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_span_becomes_what_was_learned_and_the_rest_stays(rank: int) -> None:
    loreft, stream = edit(rank), torch.randn(3, 5, 32, dtype=torch.float64)
    edited = loreft(stream)
    inside = loreft.rotation
    torch.testing.assert_close(edited @ inside.mT, stream @ loreft.source.mT + loreft.bias)
    outside = torch.eye(32).double() - inside.mT @ inside
    torch.testing.assert_close(edited @ outside, stream @ outside)
    assert (edited - stream).norm() > 1


def test_agrees_with_pyreft() -> None:
    interventions = pytest.importorskip("pyreft.interventions")
    theirs = interventions.LoreftIntervention(
        embed_dim=32, low_rank_dimension=4, dtype=torch.float32
    )
    own = Loreft(
        theirs.rotate_layer.weight.mT,
        theirs.learned_source.weight,
        theirs.learned_source.bias,
        **PLACE,
    )
    stream = torch.randn(3, 5, 32)
    torch.testing.assert_close(own(stream), theirs(stream), atol=1e-5, rtol=1e-5)


def test_half_the_multiplier_is_half_the_way() -> None:
    whole, stream = edit(), torch.randn(2, 3, 32, dtype=torch.float64)
    half = Loreft(whole.rotation, whole.source, whole.bias, 0.5, **PLACE)
    torch.testing.assert_close(half(stream) - stream, (whole(stream) - stream) / 2)


def test_gradients_reach_what_is_learned_through_the_model(tiny_gpt2: Any) -> None:
    leaves = [rows(2).float(), torch.randn(2, 32), torch.zeros(2)]
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    ids = torch.tensor([[5, 9, 2, 7]])
    with steer(tiny_gpt2, Loreft(*leaves, **PLACE)):  # type: ignore[arg-type]
        logits = tiny_gpt2(ids).logits
    for gradient in torch.autograd.grad(logits.square().sum(), leaves):
        assert gradient.abs().max() > 0


@torch.no_grad()
def test_acts_where_its_gate_is_open_with_and_without_a_cache(tiny_gpt2: Any) -> None:
    model, ids = tiny_gpt2.double(), torch.tensor([[5, 9, 2, 7, 30, 8]])
    streams = model(ids, output_hidden_states=True).hidden_states[2][0]
    weight = streams[3] - streams.mean(0)
    logits = streams @ weight
    gate = ProbeGate(weight, -float(logits[1:].sort().values[-2:].mean()))
    loreft = edit(gates=(gate,))
    with steer(model, loreft):
        whole = model(ids, output_hidden_states=True)
        first = model(ids[:, :3], use_cache=True)
        rest = model(ids[:, 3:], past_key_values=first.past_key_values).logits
    torch.testing.assert_close(rest, whole.logits[:, 3:])
    changed = (whole.hidden_states[2][0] != streams).any(-1)
    assert changed.tolist() == (logits > -gate.bias).tolist()
    assert int(changed.sum()) == 1


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 8), (2, 7), (2,)), r"source \[2, 7\]"),
        (((8,), (8,), (1,)), r"must be \[rank, width\], the same and \[rank\]"),
        (((2, 8), (2, 8), (3,)), r"bias \[3\]"),
    ],
)
def test_wrong_shapes_are_refused(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        Loreft(*(torch.randn(*shape) for shape in shapes), **PLACE)  # type: ignore[arg-type]


def test_rows_that_are_not_orthonormal_are_refused() -> None:
    with pytest.raises(BadInputError, match="must be orthonormal; train it again"):
        Loreft(torch.ones(2, 8), torch.ones(2, 8), torch.ones(2), **PLACE)
    with pytest.raises(BadInputError, match="Loreft: bias holds NaN"):
        Loreft(torch.eye(8)[:1], torch.ones(1, 8), torch.tensor([float("nan")]), **PLACE)
