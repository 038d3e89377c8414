"""Any intervention, gate, position, backend, padding, cache: the model recomputed by hand agrees.

Afterwards the model is what it was, bit for bit, however the block was left.
"""

from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, get_args

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from evenkeel.models.sites import SITES
from evenkeel.params import Sinks
from evenkeel.steering.backends import steered
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate, Gate, ProbeGate, TokenGate
from evenkeel.steering.intervention import Ablate, Add, Intervention, Positions
from evenkeel.steering.latents import Clamp, Scale
from evenkeel.steering.rotation import Rotate
from tests.steering.saes import ARCHITECTURES, random_sae

COLUMNS, NEW, WIDTH = 6, 4, 32


def random(draw: st.DrawFn, *shape: int) -> Tensor:
    seed = draw(st.integers(0, 1000))
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    match draw(st.sampled_from(["probe", "band", "token"])):
        case "probe":
            return ProbeGate(random(draw, WIDTH), 0.3, threshold=draw(st.sampled_from([-2.0, 1.0])))
        case "band":
            return BandGate(random(draw, WIDTH), 0.1, bound=draw(st.sampled_from([0.5, 2.0])))
        case _:
            return TokenGate(tuple(draw(st.sets(st.integers(0, 9), min_size=3))))


@st.composite
def interventions(draw: st.DrawFn, backend: str) -> Intervention:
    """One that the backend can do."""
    weights = backend == "bias_edit"
    places = [(layer, site) for layer in range(3) for site in SITES]
    if weights:
        places = [(layer, site) for layer, site in places if not site.startswith("resid")]
    if backend == "baukit":
        places = [place for place in places if place != (0, "resid_pre") and place[1] != "head_z"]
    layer, site = draw(st.sampled_from(places))
    where: dict[str, Any] = {
        "layer": layer,
        "site": site,
        "positions": "all" if weights else draw(st.sampled_from(get_args(Positions))),
        "gates": () if weights else tuple(draw(st.lists(gates(), max_size=2))),
        "sinks": "include" if weights else draw(st.sampled_from(get_args(Sinks))),
    }
    kinds = ["add", "ablate", "mean_ablate", "erase"]
    if not weights and not site.startswith("ln"):  # where no SAE is at home
        kinds += ["clamp", "scale", "rotate"]
    rank = draw(st.integers(1, 2))
    kind = draw(st.sampled_from(kinds))
    if kind in ("clamp", "scale"):
        architecture = draw(st.sampled_from(ARCHITECTURES))
        first, seed = draw(st.integers(0, 3)), draw(st.integers(0, 1000))
        sae = random_sae(where["site"], where["layer"], architecture, first=first, seed=seed)
        features = draw(st.permutations(range(12)))[: draw(st.integers(1, 4))]
        how = {name: where[name] for name in ("positions", "gates", "sinks")}
        if kind == "clamp":
            return Clamp.of(sae, features, value=draw(st.sampled_from([0.0, 5.0])), **how)
        return Scale.of(sae, features, factor=draw(st.sampled_from([0.0, 0.125, 3.0])), **how)
    match kind:
        case "add":
            return Add(random(draw, WIDTH), draw(st.sampled_from([-3.0, 0.5])), **where)
        case "ablate":
            return Ablate(random(draw, rank, WIDTH), draw(st.sampled_from([0.5, 1.0])), **where)
        case "rotate":
            return Rotate(random(draw, rank, WIDTH), draw(st.sampled_from([0.5, 1.0])), **where)
        case "mean_ablate":
            return MeanAblate(random(draw, rank, WIDTH), random(draw, WIDTH), **where)
        case _:
            left, right = random(draw, WIDTH, rank), random(draw, rank, WIDTH)
            return Erase(left / 6, right / 6, random(draw, WIDTH), **where)


@st.composite
def steerings(draw: st.DrawFn) -> tuple[str, list[Intervention]]:
    """A backend, and what it is to do; not transformer_lens, which knows no positions."""
    traced = ["nnsight"] if find_spec("nnsight") else []
    backend = draw(st.sampled_from(["hooks", "wrapper", *traced, "baukit", "bias_edit"]))
    return backend, draw(st.lists(interventions(backend), min_size=1, max_size=3))


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor, str]:
    """Token ids, attention mask and position mask [texts, columns], and the side of the padding."""
    side = draw(st.sampled_from(["left", "right"]))
    lengths = draw(st.lists(st.integers(2, COLUMNS), min_size=1, max_size=3))
    column = torch.arange(COLUMNS)
    real = torch.stack([column < length for length in lengths])
    real = real.flip(1) if side == "left" else real
    ids = random(draw, len(lengths), COLUMNS).mul(7).long().abs() % 10
    return ids, real.long(), random(draw, len(lengths), COLUMNS) > 0, side


def allowed(positions: Positions, real: Tensor, mask: Tensor, prompt: int) -> Tensor:
    column = torch.arange(real.shape[1]).expand(real.shape)
    last = (real * (column + 1) * (column < prompt)).argmax(1, keepdim=True)
    return {
        "all": column >= 0,
        "prompt": column < prompt,
        "generated": column >= prompt,
        "last": (column == last) | (column >= prompt),
        "mask": torch.nn.functional.pad(mask, (0, real.shape[1] - mask.shape[1])),
    }[positions]


class _LeftByError(Exception):
    pass


@given(
    steering=steerings(),
    batch=batches(),
    use_cache=st.booleans(),
    fails=st.booleans(),
)
@settings(
    max_examples=60,
    derandomize=True,
    # One model for all examples: none may change it, which is among what is tested.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@pytest.mark.usefixtures("_baukit")
@torch.no_grad()
def test_agrees_with_the_model_recomputed_by_hand(
    tiny_gpt2: Any,
    tokenizer: Any,
    reference: Callable[..., Tensor],
    steering: tuple[str, list[Intervention]],
    batch: tuple[Tensor, Tensor, Tensor, str],
    use_cache: bool,
    fails: bool,
) -> None:
    backend, items = steering
    ids, real, mask, side = batch
    tiny_gpt2.generation_config.eos_token_id = None
    state = {name: tensor.clone() for name, tensor in tiny_gpt2.state_dict().items()}

    def expected(ids: Tensor, real: Tensor) -> Tensor:
        def at(layer: int, site: str, stream: Tensor) -> Tensor:
            for item in items:
                if (item.layer, item.site) == (layer, site):
                    keep = allowed(item.positions, real, mask, COLUMNS)
                    token = torch.arange(real.shape[1]) - real.argmax(1, keepdim=True)
                    keep = keep & (token >= item.first_position)
                    for gate in item.gates:
                        keep = keep & gate(stream, ids)
                    stream = item(stream, keep)
            return stream

        return reference(tiny_gpt2, ids, real, at)

    def forward(model: Any) -> Tensor:
        place = (real.cumsum(1) - 1).clamp(min=0)
        inputs = {"input_ids": ids, "attention_mask": real, "position_ids": place}
        # A model of nnsight is edited in its traces only.
        traced = hasattr(model, "trace")
        output = model.trace(**inputs, trace=False) if traced else model(**inputs)
        logits: Tensor = output.logits[real.bool()]
        return logits

    plain = forward(tiny_gpt2)
    with suppress(_LeftByError), steered(backend, tiny_gpt2, tokenizer, items, mask=mask) as model:
        logits = forward(model)
        if side == "left":
            found = model.generate(
                input_ids=ids,
                attention_mask=real,
                max_new_tokens=NEW,
                do_sample=False,
                use_cache=use_cache,
                output_logits=True,
                return_dict_in_generate=True,
            )
        if fails:
            raise _LeftByError
    torch.testing.assert_close(logits, expected(ids, real)[real.bool()], atol=1e-4, rtol=1e-5)
    if side == "left":
        whole = expected(found.sequences, torch.nn.functional.pad(real, (0, NEW), value=1))
        logits = torch.stack(found.logits, dim=1)
        torch.testing.assert_close(logits, whole[:, COLUMNS - 1 : -1], atol=1e-4, rtol=1e-5)
    assert torch.equal(forward(tiny_gpt2), plain)
    now = tiny_gpt2.state_dict()
    assert now.keys() == state.keys()
    assert all(torch.equal(now[name], state[name]) for name in state)
