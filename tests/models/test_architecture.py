"""Every family of the table, on a tiny random model of that family."""

from typing import Any

import pytest
import torch
from torch import nn

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import (
    ARCHITECTURES,
    architecture_of,
    check_architecture,
    hidden_of,
    hook_target,
)
from evenkeel.models.sites import SITES, HookPoint

SMALL: dict[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
ROTARY = {"intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 64}
SIZES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_positions": 64},
    "gpt_neo": {"num_layers": 3, "attention_types": [[["global", "local", "global"], 1]]},
    "gpt_neox": {"intermediate_size": 48},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32, "max_position_embeddings": 64},
    "falcon": {"new_decoder_architecture": False},
    "gemma": ROTARY | {"head_dim": 8},
    "gemma2": ROTARY | {"head_dim": 8},
    "gemma3_text": ROTARY | {"head_dim": 8},
    "qwen3": ROTARY | {"head_dim": 8},
}


def tiny_model(family: str) -> Any:
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    sizes = SMALL | SIZES.get(family, ROTARY)
    if family == "gpt_neo":
        del sizes["num_hidden_layers"], sizes["num_attention_heads"]
        sizes["num_heads"] = 4
    return AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**sizes)).eval()


def recorded(model: Any, layer: int, site: str, ids: torch.Tensor) -> torch.Tensor:
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
        model(input_ids=ids)
    (stream,) = seen
    return stream


@pytest.mark.parametrize("family", sorted(ARCHITECTURES))
def test_sites_add_up_to_the_stream(family: str) -> None:
    model = tiny_model(family)
    check_architecture(model)
    ids = torch.randint(1, 120, (2, 7))
    before = recorded(model, 1, "resid_pre", ids)
    after = recorded(model, 1, "resid_post", ids)
    torch.testing.assert_close(before, recorded(model, 0, "resid_post", ids), rtol=0, atol=0)
    assert not torch.allclose(before, after)
    if ARCHITECTURES[family].mlp_path is None:
        return
    parts = recorded(model, 1, "attn_out", ids) + recorded(model, 1, "mlp_out", ids)
    torch.testing.assert_close(before + parts, after, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", sorted(ARCHITECTURES))
def test_parts_have_the_widths_they_should(family: str) -> None:
    model = tiny_model(family)
    architecture = architecture_of(model)
    ids = torch.randint(1, 120, (1, 5))
    z = recorded(model, 2, "head_z", ids)
    projection = architecture.attention_projection(architecture.blocks(model)[2])
    assert projection is not None
    assert projection(z).shape[-1] == 32
    assert architecture.mlp_projection(architecture.blocks(model)[2]) is not None
    assert architecture.final_norm(model) is not None
    assert all(isinstance(part, nn.Embedding) for part in architecture.embeddings(model))


def test_a_layer_that_is_not_there_is_refused(tiny_gpt2: Any) -> None:
    with pytest.raises(BadInputError, match=r"layer 3 does not exist.*layers 0 to 2"):
        hook_target(tiny_gpt2, HookPoint("resid_post", 3))
    with pytest.raises(BadInputError, match=r"layer -1 does not exist"):
        hook_target(tiny_gpt2, HookPoint("resid_post", -1))


def test_a_site_that_is_not_there_is_refused(tiny_gpt2: Any) -> None:
    with pytest.raises(BadInputError, match=r"site 'resid_mid' does not exist.*resid_pre"):
        hook_target(tiny_gpt2, HookPoint.of("resid_mid", 0))
    with pytest.raises(BadInputError, match=r"site 'mlp_out' does not exist in this opt model"):
        hook_target(tiny_model("opt"), HookPoint("mlp_out", 0))
    assert all(hook_target(tiny_gpt2, HookPoint(site, 0)) for site in SITES)


def test_an_unknown_family_names_the_known_ones_and_the_way_out(tiny_gpt2: Any) -> None:
    tiny_gpt2.config.model_type = "newcomer"
    with pytest.raises(BadInputError, match=r"family 'newcomer'.*gpt2.*model\.blocks"):
        architecture_of(tiny_gpt2)
    tiny_gpt2.config.evenkeel_blocks = "transformer.h"
    check_architecture(tiny_gpt2)
    assert hook_target(tiny_gpt2, HookPoint("resid_post", 1)).module is tiny_gpt2.transformer.h[1]
    with pytest.raises(BadInputError, match=r"it has: resid_pre, resid_post"):
        hook_target(tiny_gpt2, HookPoint("attn_out", 1))


def test_blocks_named_wrongly_are_refused(tiny_gpt2: Any) -> None:
    tiny_gpt2.config.evenkeel_blocks = "transformer.wte"
    with pytest.raises(BadInputError, match=r"no list of modules there.*transformer\.h"):
        architecture_of(tiny_gpt2)


def test_blocks_that_give_other_streams_are_refused(tiny_gpt2: Any) -> None:
    tiny_gpt2.detour = nn.ModuleList([nn.Identity(), nn.Identity(), nn.Identity()])
    tiny_gpt2.config.evenkeel_blocks = "detour"
    with pytest.raises(BadInputError, match=r"do not give the streams"):
        check_architecture(tiny_gpt2)
