"""A batch whose rows are steered each in its own way gives what each row gives alone."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.batching import padded
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate, ProbeGate, TokenGate, read_together
from evenkeel.steering.hooks import steer, steer_rows
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.latents import Clamp, Scale
from evenkeel.steering.loreft import Loreft
from evenkeel.steering.rotation import Rotate
from evenkeel.steering.rows import RowShares, RowSpec
from evenkeel.steering.spec import GATES, INTERVENTIONS, InterventionSpec
from tests.steering.saes import random_sae
from tests.steering.test_hooks import assert_same_state, state

TEXTS = [[5, 9, 2, 7, 30], [8, 8, 1], [40, 3, 11, 12], [7]]


@pytest.fixture
def exact_gpt2(tiny_gpt2: Any) -> Any:
    """In float64, where the order of additions turns no token."""
    return tiny_gpt2.double()


def every_kind() -> list[Intervention]:
    generator = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    sae = random_sae("resid_post", 1, first=1)
    return [
        Add(draw(32), 4.0, layer=0, site="resid_post"),
        Add(draw(32), 4.0, layer=1, site="resid_pre", positions="generated"),
        Add(draw(32), 4.0, layer=1, site="mlp_out", positions="last", sinks="include"),
        Ablate(draw(2, 32), layer=1, site="resid_post", positions="prompt"),
        MeanAblate(draw(32), draw(32), layer=2, site="attn_out"),
        Rotate(draw(2, 32), 0.5, layer=1, site="resid_post"),
        Erase(draw(32, 2), draw(2, 32), draw(32), layer=0, site="resid_post"),
        Loreft(
            torch.eye(32)[:2],
            draw(2, 32),
            draw(2),
            layer=1,
            site="resid_post",
            gates=(ProbeGate(draw(32), 0.1),),
        ),
        Clamp.of(sae, [3, 5], value=4.0),
        Scale.of(sae, [1, 2], factor=0.25),
        Ablate(draw(32), layer=2, site="resid_pre", gates=(ProbeGate(draw(32), 0.1),)),
        Ablate(draw(32), layer=2, site="resid_pre", gates=(BandGate(draw(32), 0.0, 2.0),)),
        Add(draw(32), 9.0, layer=0, site="resid_pre", gates=(TokenGate((2, 7, 8)),)),
    ]


def composed() -> InterventionSpec:
    return InterventionSpec(tuple(every_kind()))


def continued(model: Any, texts: Sequence[Sequence[int]], rows: Sequence[RowSpec] | None) -> Any:
    inputs = padded(texts, left=True)
    how = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}
    if rows is None:
        return model.generate(**inputs, **how)[:, inputs["input_ids"].shape[1] :]
    with steer(model, rows):
        return model.generate(**inputs, **how)[:, inputs["input_ids"].shape[1] :]


def test_every_kind_is_here() -> None:
    items = every_kind()
    assert {type(item) for item in items} == set(INTERVENTIONS.values())
    assert {type(gate) for item in items for gate in item.gates} == set(GATES.values())


@pytest.mark.parametrize("index", range(12))
def test_each_row_goes_on_as_it_does_alone(exact_gpt2: Any, index: int) -> None:
    spec = every_kind()[index]
    rows = [
        RowSpec(spec),
        RowSpec(composed(), multiplier=0.5),
        RowSpec(spec, enabled=False),
        RowSpec(spec, multiplier=-1.5),
    ]
    together = continued(exact_gpt2, TEXTS, rows)
    for text, row, found in zip(TEXTS, rows, together, strict=True):
        assert torch.equal(continued(exact_gpt2, [text], [row])[0], found)


@torch.no_grad()
def test_a_row_with_the_whole_spec_is_what_the_spec_does(tiny_gpt2: Any) -> None:
    spec = composed()
    inputs = padded(TEXTS, left=True)
    plain = tiny_gpt2(**inputs).logits
    with steer(tiny_gpt2, spec):
        expected = tiny_gpt2(**inputs).logits
    with steer(tiny_gpt2, [RowSpec(spec), RowSpec(None), RowSpec(spec), RowSpec(None)]):
        found = tiny_gpt2(**inputs).logits
    assert torch.equal(found[::2], expected[::2])
    assert torch.equal(found[1::2], plain[1::2])
    assert (expected - plain).abs().amax((1, 2)).min() > 1e-2


@pytest.mark.parametrize(
    "off", [RowSpec(None), RowSpec(composed(), 0.0), RowSpec(composed(), 3.0, enabled=False)]
)
@torch.no_grad()
def test_off_is_the_unsteered_model_bit_for_bit(tiny_gpt2: Any, off: RowSpec) -> None:
    inputs = padded(TEXTS, left=True)
    before, plain = state(tiny_gpt2), tiny_gpt2(**inputs).logits
    with steer(tiny_gpt2, [off] * 4):
        assert torch.equal(tiny_gpt2(**inputs).logits, plain)
    with steer(tiny_gpt2, [off, RowSpec(composed()), off, off]):
        assert torch.equal(tiny_gpt2(**inputs).logits[[0, 2, 3]], plain[[0, 2, 3]])
    assert_same_state(before, state(tiny_gpt2))


@given(multiplier=st.floats(-4, 4))
@settings(max_examples=20)
def test_the_multiplier_scales_the_change(multiplier: float) -> None:
    generator = torch.Generator().manual_seed(1)
    stream = torch.randn(2, 3, 32, generator=generator, dtype=torch.float64)
    add = Add(torch.randn(32, generator=generator), layer=0, site="resid_post")
    shares = RowShares((multiplier, 1.0))
    kept = shares.edited_rows(stream).unsqueeze(-1)
    found = torch.where(kept, shares.blend(stream, add(stream)), stream)
    assert torch.equal(found[1], add(stream)[1])
    expected = stream[0] + multiplier * add.direction.double()
    torch.testing.assert_close(found[0], expected, atol=1e-12, rtol=0)


@torch.no_grad()
def test_rows_may_change_between_passes(tiny_gpt2: Any) -> None:
    one, other = (RowSpec(item) for item in every_kind()[:2])
    inputs = padded([TEXTS[0], TEXTS[0]])
    plain = tiny_gpt2(**inputs).logits
    with steer(tiny_gpt2, [one, one]):
        steered = tiny_gpt2(**inputs).logits
    with steer_rows(tiny_gpt2) as rows:
        assert torch.equal(tiny_gpt2(**inputs).logits, plain)
        rows.assign([one, RowSpec(None)])
        found = tiny_gpt2(**inputs).logits
        assert torch.equal(found[0], steered[0])
        assert torch.equal(found[1], plain[1])
        rows.assign([other, one])
        assert torch.equal(tiny_gpt2(**inputs).logits[1], steered[1])
        rows.assign([])
        assert torch.equal(tiny_gpt2(**inputs).logits, plain)


def test_specs_out_of_use_are_unhooked(tiny_gpt2: Any) -> None:
    before = state(tiny_gpt2)
    with steer_rows(tiny_gpt2) as rows:
        for _ in range(60):
            rows.assign([RowSpec(Add(torch.randn(32), layer=1, site="resid_post"))])
        assert 1 < max(len(module._forward_hooks) for module in tiny_gpt2.modules()) < 20
    assert_same_state(before, state(tiny_gpt2))


@torch.no_grad()
def test_beams_and_samples_share_the_row_of_their_text(tiny_gpt2: Any) -> None:
    rows = [RowSpec(every_kind()[0]), RowSpec(None)]
    inputs = padded(TEXTS[:2], left=True)
    width = inputs["input_ids"].shape[1]
    how = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
    with steer(tiny_gpt2, rows):
        beams = tiny_gpt2.generate(**inputs, **how, num_beams=3, num_return_sequences=3)
    alone = tiny_gpt2.generate(**inputs, **how, num_beams=3, num_return_sequences=3)
    assert torch.equal(beams[3:, width:], alone[3:, width:])


def test_rows_that_do_not_fit_are_refused(tiny_gpt2: Any) -> None:
    before = state(tiny_gpt2)
    add = Add(torch.randn(32), layer=1, site="resid_post")
    with (
        pytest.raises(BadInputError, match="given for 2 rows, but the batch has 3"),
        steer(tiny_gpt2, [RowSpec(add), RowSpec(None)]),
    ):
        tiny_gpt2(**padded(TEXTS[:3]))
    with (
        pytest.raises(BadInputError, match="width of 31"),
        steer(tiny_gpt2, [RowSpec(None), RowSpec(Add(torch.ones(31), layer=1, site="resid_pre"))]),
    ):
        pass
    with pytest.raises(BadInputError, match="finite"):
        RowSpec(add, float("nan"))
    assert_same_state(before, state(tiny_gpt2))


def test_an_edit_whose_gates_are_all_closed_is_not_computed(
    tiny_gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Tensor] = []
    on = Ablate.on
    monkeypatch.setattr(
        Ablate,
        "on",
        lambda *given: lambda stream: computed.append(stream) or on(*given)(stream),
    )
    direction = torch.arange(32.0)
    for bias, times in ((-1e9, 0), (1e9, 1)):
        computed.clear()
        item = Ablate(direction, layer=1, site="resid_post", gates=(ProbeGate(direction, bias),))
        plain = tiny_gpt2(torch.tensor([[5, 9, 2]])).logits
        with steer(tiny_gpt2, [RowSpec([item])]):
            steered = tiny_gpt2(torch.tensor([[5, 9, 2]])).logits
        assert len(computed) == times
        assert torch.equal(steered, plain) == (times == 0)


@pytest.mark.parametrize("seed", range(3))
def test_probes_read_together_change_nothing(exact_gpt2: Any, seed: int) -> None:
    """Edits at one place, each of which opens or closes gates of those behind it."""
    generator = torch.Generator().manual_seed(seed)

    def draw() -> Tensor:
        return torch.randn(32, generator=generator)

    def gated(bias: float) -> Add:
        return Add(draw(), 2.0, layer=1, site="resid_post", gates=(ProbeGate(draw(), bias),))

    # The second acts without a gate, the last never.
    spec = [gated(-2.0), Add(draw(), 0.5, layer=1, site="resid_post"), gated(0.0), gated(-1e9)]
    spec[3:3] = [gated(-4.0), gated(-1.0)]
    inputs = padded(TEXTS, left=True)
    width = inputs["input_ids"].shape[1]
    how: dict[str, Any] = {"max_new_tokens": 12, "min_new_tokens": 12, "do_sample": False}
    how |= {"output_logits": True, "return_dict_in_generate": True}
    with steer(exact_gpt2, spec):
        expected = exact_gpt2.generate(**inputs, **how)
    with steer(exact_gpt2, [RowSpec(spec)] * len(TEXTS)):
        found = exact_gpt2.generate(**inputs, **how)
    plain = exact_gpt2.generate(**inputs, **how)
    assert torch.equal(found.sequences, expected.sequences)
    for ours, theirs in zip(found.logits, expected.logits, strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(plain.sequences[:, width:], expected.sequences[:, width:])


def test_probes_read_together_say_what_each_says_alone() -> None:
    generator = torch.Generator().manual_seed(4)
    gates = [ProbeGate(torch.randn(97, generator=generator), 0.3, number) for number in range(5)]
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        stream = torch.randn(16, 1, 97, generator=generator).to(dtype)
        together = read_together(gates, stream.device, dtype)(stream)
        assert torch.equal(together, torch.cat([gate(stream) for gate in gates], dim=1))
        assert 0 < together.float().mean() < 1


def test_a_step_asks_only_the_edits_whose_probes_are_open(
    tiny_gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    on = ProbeGate.on

    def noting(gate: ProbeGate, *where: Any) -> Any:
        is_open = on(gate, *where)
        return lambda *given: asked.append(gate.bias) or is_open(*given)

    monkeypatch.setattr(ProbeGate, "on", noting)
    zero = torch.zeros(32)
    spec = [
        Add(torch.ones(32), layer=1, site="resid_post", gates=(ProbeGate(zero, bias),))
        for bias in (-1.0, -2.0, 3.0, -4.0)
    ]
    cache = tiny_gpt2(torch.tensor([[5, 9]])).past_key_values
    with steer(tiny_gpt2, [RowSpec(spec)]):
        tiny_gpt2(torch.tensor([[2]]), past_key_values=cache)
    assert asked == [3.0]
