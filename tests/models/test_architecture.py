"""The blocks and sites of a sample of families, found by what tiny random models of them do."""

from typing import Any

import pytest
import torch
from torch import nn

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import architecture_of, hidden_of, hook_target
from evenkeel.models.sites import SITES, HookPoint
from tests.models.families import SAMPLE, tiny_model

IDS = torch.tensor([[5, 9, 2, 7, 11, 3], [1, 8, 4, 30, 6, 2]])


def recorded(model: Any, layer: int, site: str, ids: torch.Tensor = IDS) -> torch.Tensor:
    target = hook_target(model, HookPoint.of(site, layer))
    seen: list[torch.Tensor] = []

    def keep_input(_module: nn.Module, args: Any, kwargs: Any) -> None:
        seen.append(hidden_of(args or kwargs["hidden_states"]).clone())

    def keep_output(_module: nn.Module, _args: Any, output: Any) -> None:
        seen.append(hidden_of(output).clone())

    handle = (
        target.module.register_forward_pre_hook(keep_input, with_kwargs=True)
        if target.side == "input"
        else target.module.register_forward_hook(keep_output)
    )
    with handle, torch.no_grad():
        model(input_ids=ids, use_cache=False)
    (stream,) = seen
    assert stream.shape == (*ids.shape, target.width)
    return stream


@pytest.mark.parametrize("family", SAMPLE)
def test_streams_are_transformers_hidden_states(family: str) -> None:
    model = tiny_model(family)
    with torch.no_grad():
        states = model(input_ids=IDS, output_hidden_states=True, use_cache=False).hidden_states
    layers = len(architecture_of(model).parts)
    assert layers == model.config.get_text_config().num_hidden_layers
    for layer in range(layers):
        assert torch.equal(recorded(model, layer, "resid_pre"), states[layer])
        if layer < layers - 1:
            assert torch.equal(recorded(model, layer, "resid_post"), states[layer + 1])


@pytest.mark.parametrize("family", SAMPLE)
def test_parts_add_up_to_the_block(family: str) -> None:
    model = tiny_model(family)
    whole = 0
    for layer, parts in enumerate(architecture_of(model).parts):
        if {"attn_out", "mlp_out"} <= set(parts.sites):
            total = sum(
                recorded(model, layer, name) for name in ("resid_pre", "attn_out", "mlp_out")
            )
            torch.testing.assert_close(
                total, recorded(model, layer, "resid_post"), atol=1e-5, rtol=1e-5
            )
            whole += 1
    assert bool(whole) == (family not in ("opt", "granite"))


@pytest.mark.parametrize("family", SAMPLE)
def test_heads_mixed_back_are_what_attention_returns(family: str) -> None:
    model = tiny_model(family)
    checked = 0
    for layer, parts in enumerate(architecture_of(model).parts):
        if "attn_out" in parts.writers:
            writer: Any = hook_target(model, HookPoint("head_z", layer)).module
            assert (
                architecture_of(model).blocks(model)[layer].get_submodule(parts.writers["attn_out"])
                is writer
            )
            mixed = writer(recorded(model, layer, "head_z"))
            torch.testing.assert_close(mixed, recorded(model, layer, "attn_out"))
            checked += 1
    assert bool(checked) == (family not in ("gemma2", "gemma3_text", "olmo2", "granite"))


@pytest.mark.parametrize(
    ("family", "layer", "site", "reason"),
    [
        ("opt", 0, "mlp_out", "fc2 handles tokens of all texts in one flat row"),
        ("gptj", 1, "ln1_out", "the norm that its attention reads is read by other parts, too"),
        ("olmo2", 0, "ln2_out", "its MLP reads no norm of its own"),
        ("granite", 2, "attn_out", "what its attention returns is scaled before it is added"),
        ("jamba", 0, "head_z", "it has no attention; its parts are .*JambaMambaMixer"),
    ],
)
def test_a_missing_site_is_refused_with_the_reason(
    family: str, layer: int, site: str, reason: str
) -> None:
    model = tiny_model(family)
    with pytest.raises(BadInputError, match=rf"in layer {layer} of this {family} model: {reason}"):
        hook_target(model, HookPoint.of(site, layer))
    other = hook_target(model, HookPoint("resid_post", layer))
    assert other.module is architecture_of(model).blocks(model)[layer]


def test_a_layer_that_is_not_there_is_refused(tiny_gpt2: Any) -> None:
    with pytest.raises(BadInputError, match=r"layer 3 does not exist.*layers 0 to 2"):
        hook_target(tiny_gpt2, HookPoint("resid_post", 3))
    with pytest.raises(BadInputError, match=r"layer -1 does not exist"):
        hook_target(tiny_gpt2, HookPoint("resid_post", -1))
    assert all(hook_target(tiny_gpt2, HookPoint(site, 0)) for site in SITES)


def test_a_family_that_nobody_knows_is_searched_like_any_other(tiny_gpt2: Any) -> None:
    tiny_gpt2.config.model_type = "newcomer"
    tiny_gpt2.transformer.layers_of_ours = tiny_gpt2.transformer.h
    del tiny_gpt2.transformer.h
    type(tiny_gpt2.transformer).h = property(lambda self: self.layers_of_ours)
    try:
        assert architecture_of(tiny_gpt2).blocks_path == "transformer.layers_of_ours"
    finally:
        del type(tiny_gpt2.transformer).h


def test_the_search_leaves_the_model_as_it_was(tiny_gpt2: Any) -> None:
    tiny_gpt2.train()
    architecture_of(tiny_gpt2)
    assert tiny_gpt2.training
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in tiny_gpt2.modules()
    )


def test_the_search_finds_the_same_in_inference_mode(tiny_gpt2: Any) -> None:
    with torch.inference_mode():
        found = architecture_of(tiny_gpt2)
    assert found.parts[0].sites["head_z"].path == "attn.c_proj"


def test_blocks_may_be_named(tiny_gpt2: Any) -> None:
    assert architecture_of(tiny_gpt2, "transformer.h").blocks_path == "transformer.h"
    with pytest.raises(
        BadInputError, match=r"'transformer\.wte': there is no list .*transformer\.h"
    ):
        architecture_of(tiny_gpt2, "transformer.wte")
    tiny_gpt2.detour = nn.ModuleList([nn.Identity(), nn.Identity(), nn.Identity()])
    with pytest.raises(BadInputError, match=r"in detour: module 0 runs 0 times on a text"):
        architecture_of(tiny_gpt2, "detour")


def test_a_wrapper_is_hooked_in_its_text_tower() -> None:
    model = tiny_model("gemma3")
    assert architecture_of(model).blocks_path == "model.language_model.layers"
    assert recorded(model, 1, "mlp_out").shape == (2, 6, 32)


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("gemma3n_text", r"returns 4 dimensions, \[4, 1, 4, 32\]: several residual streams"),
        ("mamba", r"has no attention, but .*MambaMixer.*: a state-space or recurrent model"),
        ("xlm", r"in transformer\.layer_norm2: module 0 is given other values than hidden_states"),
        ("openai-gpt", "is not given the residual stream first, or does not return it"),
    ],
)
def test_a_family_that_cannot_be_hooked_is_told_why(family: str, reason: str) -> None:
    with pytest.raises(BadInputError, match=reason) as caught:
        architecture_of(tiny_model(family))
    assert "name the right list" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_parts_are_found_in_any_precision(dtype: torch.dtype) -> None:
    model = tiny_model("llama").to(dtype)
    assert architecture_of(model).parts == architecture_of(tiny_model("llama")).parts


def test_infinity_is_named_as_what_it_is(tiny_gpt2: Any) -> None:
    with torch.no_grad():
        tiny_gpt2.transformer.h[0].mlp.c_proj.bias.fill_(1e30)
    with pytest.raises(BadInputError, match=r"infinity or NaN in torch\.float16; set model"):
        architecture_of(tiny_gpt2.half())


def test_quantized_weights_change_nothing() -> None:
    model = tiny_model("llama")
    quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    found = architecture_of(quantized)
    assert type(hook_target(quantized, HookPoint("head_z", 0)).module) is not nn.Linear
    assert found.parts == architecture_of(model).parts
