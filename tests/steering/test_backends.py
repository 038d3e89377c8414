"""Every backend gives the logits and the text of the default one, and leaves no trace."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.steering.backends import steered
from evenkeel.steering.bias_edit import bias_edit
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate, TokenGate
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.nnsight import edit_traces
from evenkeel.steering.rotation import Rotate
from evenkeel.steering.wrapper import wrap
from tests.models.families import SAMPLE, tiny_model

IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])


def logits_and_text(
    model: Any, backend: str, given: list[Intervention], tokenizer: Any = None, **options: Any
) -> tuple[Any, Any]:
    """Logits of a pass over IDS, and the ids of its greedy continuation."""
    model.generation_config.eos_token_id = None
    options = {"attention_mask": torch.ones_like(IDS), "do_sample": False} | options
    with steered(backend, model, tokenizer, given) as generating, torch.no_grad():
        # A model of nnsight is edited in its traces only.
        passed = generating.trace(IDS, trace=False) if backend == "nnsight" else generating(IDS)
        return passed.logits, generating.generate(input_ids=IDS, max_new_tokens=6, **options)


def installed(backend: str) -> str:
    """The backend, if its package is there; else the test is skipped, and says so."""
    if backend == "nnsight":
        pytest.importorskip(backend)
    return backend


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape)


def what_weights_can_hold() -> list[list[Intervention]]:
    """Weights act at every position, a text's first token among them."""
    return [[replace(item, sinks="include") for item in case] for case in _cases()]


def _cases() -> list[list[Intervention]]:
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
        [
            Add(random(32), layer=1, site="ln1_out"),
            Erase(random(32, 1) / 9, random(1, 32), random(32), layer=1, site="ln1_out"),
            Add(random(32), 2.0, layer=2, site="ln2_out"),
        ],
    ]


@pytest.mark.parametrize("case", range(6))
@pytest.mark.parametrize("backend", ["wrapper", "bias_edit"])
def test_backends_agree_with_hooks(tiny_gpt2: Any, backend: str, case: int) -> None:
    given = what_weights_can_hold()[case]
    parameters = dict(tiny_gpt2.named_parameters(remove_duplicate=False))
    copies = {name: value.clone() for name, value in parameters.items()}
    before = [sorted(vars(module)) for module in tiny_gpt2.modules()]
    plain, _ = logits_and_text(tiny_gpt2, "wrapper", [])
    logits, text = logits_and_text(tiny_gpt2, "hooks", given)
    other_logits, other_text = logits_and_text(tiny_gpt2, backend, given)
    assert (logits - plain).abs().max() > 1e-2
    torch.testing.assert_close(other_logits, logits, atol=1e-5, rtol=1e-5)
    assert torch.equal(other_text, text)
    after = dict(tiny_gpt2.named_parameters(remove_duplicate=False))
    assert after.keys() == parameters.keys()
    assert all(after[name] is parameter for name, parameter in parameters.items())
    assert all(torch.equal(after[name], copies[name]) for name in copies)
    assert before == [sorted(vars(module)) for module in tiny_gpt2.modules()]
    assert torch.equal(tiny_gpt2(IDS).logits, plain)


@pytest.mark.parametrize("backend", ["wrapper", "nnsight", "baukit"])
@pytest.mark.usefixtures("_baukit")
def test_positions_and_gates_are_those_of_hooks(
    tiny_gpt2: Any, tokenizer: Any, backend: str
) -> None:
    installed(backend)
    gate, tokens = BandGate(random(32), 0.0, 3.0), TokenGate((9, 40, 30))
    given: list[Intervention] = [
        # The stream between two blocks: as it leaves the first, then as it enters the second.
        Ablate(random(32), layer=1, site="resid_pre", gates=(tokens,)),
        Add(random(32), 4.0, layer=0, site="resid_post", positions="last"),
        Ablate(random(32), layer=2, site="resid_pre", positions="generated", gates=(gate,)),
        Add(random(32), 2.0, layer=1, site="attn_out", positions="generated"),
    ]
    real = torch.tensor([[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    for options in ({}, {"attention_mask": real}, {"use_cache": False}, {"num_beams": 2}):
        logits, text = logits_and_text(tiny_gpt2, "hooks", given, **options)
        found, found_text = logits_and_text(tiny_gpt2, backend, given, tokenizer, **options)
        assert torch.equal(found, logits)
        assert torch.equal(found_text, text)


@pytest.mark.parametrize("site", ["resid_pre", "head_z"])
@pytest.mark.parametrize("backend", ["wrapper", "nnsight"])
def test_inputs_are_edited_like_outputs(
    tiny_gpt2: Any, tokenizer: Any, backend: str, site: Any
) -> None:
    installed(backend)
    given = [Ablate(random(2, 32), layer=0, site=site), Add(random(32), layer=0, site=site)]
    logits, text = logits_and_text(tiny_gpt2, "hooks", given)
    found, found_text = logits_and_text(tiny_gpt2, backend, given, tokenizer)
    assert torch.equal(found, logits)
    assert torch.equal(found_text, text)


def test_a_bridge_of_transformer_lens_generates_the_text_of_hooks(
    tiny_gpt2: Any, tiny_folder: Path
) -> None:
    pytest.importorskip("transformer_lens")
    from transformers import AutoTokenizer

    given = [
        Ablate(random(32), layer=1, site="resid_post"),
        Add(random(32), layer=0, site="head_z"),
    ]
    before = [sorted(vars(module)) for module in tiny_gpt2.modules()]
    logits, text = logits_and_text(tiny_gpt2, "hooks", given)
    loaded = AutoTokenizer.from_pretrained(tiny_folder)
    found, found_text = logits_and_text(tiny_gpt2, "transformer_lens", given, loaded)
    torch.testing.assert_close(found, logits, atol=1e-5, rtol=1e-5)
    assert torch.equal(found_text, text)
    assert before == [sorted(vars(module)) for module in tiny_gpt2.modules()]


@torch.no_grad()
def test_traces_of_nnsight_see_the_edited_stream(tiny_gpt2: Any) -> None:
    nnsight = pytest.importorskip("nnsight")
    offset = random(32)
    model = nnsight.NNsight(tiny_gpt2)
    plain = tiny_gpt2(IDS, output_hidden_states=True).hidden_states[2]
    push = Add(offset, layer=1, site="resid_post", positions="last")
    with edit_traces(model, push) as steered_twin:
        with steered_twin.trace(IDS):
            seen = nnsight.save(steered_twin.transformer.h[1].output)
        with model.trace(IDS):
            unedited = nnsight.save(model.transformer.h[1].output)
    assert torch.equal(unedited, plain)
    assert torch.equal(seen[:, :-1], plain[:, :-1])
    assert torch.equal(seen[:, -1], plain[:, -1] + offset)


def test_a_model_of_nnsight_needs_its_weights() -> None:
    nnsight = pytest.importorskip("nnsight")
    with torch.device("meta"):
        model = nnsight.NNsight(tiny_model("gpt2"))
    push = Add(random(32), layer=1, site="resid_post")
    with pytest.raises(BadInputError, match=r"no weights yet.*dispatch=True"):
        edit_traces(model, push).__enter__()


@pytest.mark.parametrize("backend", ["hooks", "wrapper", "bias_edit", "nnsight", "baukit"])
@pytest.mark.usefixtures("_baukit")
def test_backends_leave_no_trace_after_an_exception(
    tiny_gpt2: Any, tokenizer: Any, backend: str
) -> None:
    installed(backend)
    plain = tiny_gpt2(IDS).logits

    def fail_inside() -> None:
        given = [Add(random(32), layer=1, site="resid_post", sinks="include")]
        with steered(backend, tiny_gpt2, tokenizer, given):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert torch.equal(tiny_gpt2(IDS).logits, plain)


@pytest.mark.usefixtures("_baukit")
def test_what_a_backend_cannot_do_is_refused(
    tiny_gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = Add(random(32), layer=0, site="resid_pre")
    for backend, item, message in (
        ("hook", push, "backend 'hook' is unknown; known: hooks, wrapper, bias_edit"),
        ("baukit", push, "resid_pre of layer 0: baukit edits only what modules return"),
        ("baukit", replace(push, layer=2, site="head_z"), "head_z of layer 2: baukit edits only"),
        ("baukit", replace(push, layer=3), "layer 3 does not exist"),
    ):
        with pytest.raises(BadInputError, match=message):
            steered(backend, tiny_gpt2, None, item).__enter__()
    with (
        wrap(tiny_gpt2, push),
        pytest.raises(BadInputError, match="already steered by this backend"),
    ):
        wrap(tiny_gpt2, push).__enter__()
    for package in ("nnsight", "baukit"):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(BadInputError, match=f"needs {package}"):
            steered(package, tiny_gpt2, None, push).__enter__()


@pytest.mark.parametrize("family", SAMPLE)
def test_weights_hold_the_same_in_every_family_or_say_that_they_cannot(family: str) -> None:
    held = 0
    for given in what_weights_can_hold():
        model = tiny_model(family)
        try:
            logits, text = logits_and_text(model, "bias_edit", given)
        except BadInputError:
            continue
        held += 1
        expected, expected_text = logits_and_text(model, "hooks", given)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-4)
        assert torch.equal(text, expected_text)
    # Some share a norm, have none before their parts or scale what they add; Gemma scales its
    # embeddings, Bloom normalizes them; experts are no plain matrix; OPT's MLP has no sites.
    fewer = {"falcon": 5, "gptj": 5, "cohere": 5, "bloom": 4, "gemma": 4, "opt": 3}
    fewer |= {"gemma2": 1, "gemma3_text": 1, "granite": 1, "jamba": 1, "mixtral": 1, "olmo2": 0}
    assert held == fewer.get(family, 6)


@torch.no_grad()
def test_what_is_added_to_a_norm_joins_the_bias_of_its_reader(tiny_gpt2: Any) -> None:
    offset = random(32)
    for site, norm, reader in (
        ("ln1_out", tiny_gpt2.transformer.h[1].ln_1, tiny_gpt2.transformer.h[1].attn.c_attn),
        ("ln2_out", tiny_gpt2.transformer.h[1].ln_2, tiny_gpt2.transformer.h[1].mlp.c_fc),
    ):
        weight, bias = reader.weight.clone(), reader.bias.clone()
        with bias_edit(tiny_gpt2, Add(offset, layer=1, site=site, sinks="include")):
            assert torch.equal(reader.weight, weight)
            torch.testing.assert_close(reader.bias, bias + offset @ weight, atol=1e-5, rtol=1e-5)
            edited = tiny_gpt2(IDS).logits
        assert torch.equal(reader.bias, bias)
        with norm.register_forward_hook(lambda _m, _i, output: output + offset):
            torch.testing.assert_close(tiny_gpt2(IDS).logits, edited, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            Ablate(torch.ones(32), layer=1, site="resid_post", sinks="include"),
            "in the stream weights can only add",
        ),
        (
            Add(torch.ones(32), layer=1, site="mlp_out"),
            "sinks='include' .* first token",
        ),
        (
            Add(torch.ones(32), layer=1, site="mlp_out", positions="prompt"),
            "Add at layer 1, mlp_out cannot be written into weights: weights act at all positions",
        ),
        (
            Add(torch.ones(32), layer=1, site="mlp_out", gates=(BandGate(torch.ones(32), 0, 1),)),
            "know no gates",
        ),
        (
            Rotate(torch.ones(32), layer=1, site="mlp_out", sinks="include"),
            "Rotate at layer 1, mlp_out cannot be written into weights: keeping a norm",
        ),
    ],
)
def test_what_weights_cannot_hold_is_refused(
    tiny_gpt2: Any, item: Intervention, message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        bias_edit(tiny_gpt2, item).__enter__()
