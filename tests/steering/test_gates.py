from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.steering.gates import BandGate, Gate, ProbeGate, TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add

IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])


def test_probe_gate_opens_above_the_threshold() -> None:
    stream = torch.tensor([[[1.0, 0.0], [2.0, 1.0]], [[0.0, 5.0], [3.0, -9.0]]])
    weight = torch.tensor([2.0, 0.0])
    assert ProbeGate(weight, bias=-1.0)(stream).tolist() == [[True, True], [False, True]]
    gate = ProbeGate(weight, bias=-1.0, threshold=1.0)
    assert gate(stream).tolist() == [[False, True], [False, True]]


def test_band_gate_opens_near_the_centre_whatever_the_length_of_its_direction() -> None:
    stream = torch.tensor([[[0.0, 7.0], [1.4, 0.0], [1.6, 0.0], [2.6, 1.0], [-1.4, 3.0]]])
    for length in (1.0, 10.0):
        gate = BandGate(torch.tensor([length, 0.0]), centre=1.0, bound=0.5)
        assert gate(stream).tolist() == [[False, True, False, False, False]]


def test_token_gate_opens_at_its_tokens() -> None:
    assert TokenGate((8, 30))(torch.zeros(2, 5, 1), IDS).tolist() == [
        [False, False, False, False, True],
        [True, True, False, False, False],
    ]


@torch.no_grad()
def test_every_gate_must_be_open_and_rows_decide_for_themselves(tiny_gpt2: Any) -> None:
    direction = torch.randn(32)
    tokens = TokenGate((8, 9, 7))
    stream = tiny_gpt2(IDS, output_hidden_states=True).hidden_states[2]
    middle = float((stream @ direction).median())
    probe = ProbeGate(direction, bias=0.0, threshold=middle)
    expected = probe(stream) & tokens(stream, IDS)
    assert 0 < expected.sum() < tokens(stream, IDS).sum()
    add = Add(torch.randn(32), 5.0, layer=1, site="resid_post", gates=(probe, tokens))
    with steer(tiny_gpt2, add):
        steered = tiny_gpt2(IDS, output_hidden_states=True).hidden_states[2]
    assert torch.equal((steered != stream).any(-1), expected)


@pytest.mark.parametrize("gate", [ProbeGate(torch.ones(32), 0.0), TokenGate((5, 30, 3))])
@torch.no_grad()
def test_a_gate_decides_alike_with_and_without_a_cache(tiny_gpt2: Any, gate: Gate) -> None:
    tiny_gpt2.generation_config.eos_token_id = None
    add = Add(torch.randn(32), 5.0, layer=1, site="resid_pre", gates=(gate,))
    options = {"attention_mask": torch.ones_like(IDS), "do_sample": False, "max_new_tokens": 6}
    plain = tiny_gpt2.generate(IDS, **options)
    with steer(tiny_gpt2, add):
        cached = tiny_gpt2.generate(IDS, **options)
        uncached = tiny_gpt2.generate(IDS, use_cache=False, **options)
    assert torch.equal(cached, uncached)
    assert not torch.equal(cached, plain)


@torch.no_grad()
def test_a_gate_sees_the_stream_as_earlier_interventions_left_it(tiny_gpt2: Any) -> None:
    direction = torch.randn(32)
    near_zero = BandGate(direction, centre=0.0, bound=1e-3)
    away = Ablate(direction, layer=1, site="resid_post")
    add = Add(direction, layer=1, site="resid_post", gates=(near_zero,))

    def projection(*interventions: Any) -> torch.Tensor:
        with steer(tiny_gpt2, interventions):
            stream = tiny_gpt2(IDS, output_hidden_states=True).hidden_states[2]
        return (stream @ direction)[:, 1:]  # the first token is an attention sink

    torch.testing.assert_close(projection(away, add), (direction @ direction).expand(2, 4))
    assert projection(add, away).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TokenGate(()), "token_ids is empty"),
        (lambda: BandGate(torch.ones(4), 0.0, 0.0), "bound is 0.0; it must be positive"),
        (lambda: BandGate(torch.zeros(4), 0.0, 1.0), "direction is zero"),
        (lambda: ProbeGate(torch.ones(4), float("nan")), "ProbeGate: bias is nan"),
        (lambda: ProbeGate(torch.ones(4, 1), 0.0), r"weight has shape \[4, 1\]"),
    ],
)
def test_bad_gates_are_refused(make: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        make()


def test_a_gate_of_another_width_is_refused(tiny_gpt2: Any) -> None:
    gated = Add(torch.ones(32), layer=0, site="resid_pre", gates=(ProbeGate(torch.ones(8), 0.0),))
    with pytest.raises(BadInputError, match="width of 8, but this model has 32"):
        steer(tiny_gpt2, gated).__enter__()
