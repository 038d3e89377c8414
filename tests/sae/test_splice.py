"""An SAE in the forward pass: exact where nothing is edited, and TransformerLens's otherwise."""

from typing import Any

import pytest
import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights

from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.splice import reconstruct, replaced_stream
from evenkeel.steering.hooks import steer
from evenkeel.steering.latents import Clamp

from .conftest import trained_module


def logits_of(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
    return logits


@pytest.fixture
def ids(tokenizer: Any) -> torch.Tensor:
    return torch.randint(1, len(tokenizer), (3, 11))


@pytest.mark.parametrize("architecture", ["standard", "topk", "jumprelu"])
def test_unedited_latents_and_the_error_give_the_models_logits_exactly(
    architecture: str, tiny_gpt2: Any, ids: torch.Tensor
) -> None:
    sae = LoadedSae.of(trained_module(architecture))
    before = logits_of(tiny_gpt2, ids)
    with replaced_stream(
        tiny_gpt2,
        sae,
        lambda x: sae.editing(torch.arange(len(sae.features)), lambda latents: latents)(x),
    ):
        assert torch.equal(logits_of(tiny_gpt2, ids), before)
    with replaced_stream(
        tiny_gpt2, sae, lambda x: sae.editing(torch.arange(len(sae.features)), torch.zeros_like)(x)
    ):
        assert not torch.allclose(logits_of(tiny_gpt2, ids), before, atol=1e-3)
    assert torch.equal(logits_of(tiny_gpt2, ids), before)


@pytest.mark.parametrize(
    ("architecture", "hook_name", "centered"),
    [
        ("standard", "blocks.1.hook_resid_post", False),
        ("topk", "blocks.2.hook_resid_pre", True),
        ("batchtopk", "blocks.1.hook_resid_post", False),
        ("jumprelu", "blocks.0.hook_mlp_out", False),
        ("matryoshka_batchtopk", "blocks.1.hook_attn_out", False),
    ],
)
def test_logits_with_the_sae_spliced_in_are_those_of_transformer_lens(
    architecture: str, hook_name: str, centered: bool, tiny_gpt2: Any, ids: torch.Tensor
) -> None:
    module = trained_module(architecture, skipped=0)
    module.cfg.metadata.hook_name = hook_name
    module.cfg.metadata.model_from_pretrained_kwargs = {"center_writing_weights": centered}
    sae = LoadedSae.of(module)
    lens = lens_of(tiny_gpt2, centered)
    with torch.no_grad():
        torch.testing.assert_close(lens(ids), logits_of(tiny_gpt2, ids), atol=1e-3, rtol=1e-3)
        theirs = lens.run_with_hooks(ids, fwd_hooks=[(hook_name, lambda x, hook: module(x))])
    with replaced_stream(tiny_gpt2, sae, lambda x: reconstruct(sae, x), "include"):
        ours = logits_of(tiny_gpt2, ids)
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(ours, logits_of(tiny_gpt2, ids), atol=0.1)

    def clamp(latents: torch.Tensor, hook: Any) -> torch.Tensor:
        return latents.index_fill(-1, torch.tensor([3, 9]), 5.0)

    module.use_error_term = True
    with torch.no_grad(), module.hooks(fwd_hooks=[("hook_sae_acts_post", clamp)]):
        theirs = lens.run_with_hooks(ids, fwd_hooks=[(hook_name, lambda x, hook: module(x))])
    with steer(tiny_gpt2, Clamp.of(sae, [3, 9], value=5.0, sinks="include")):
        ours = logits_of(tiny_gpt2, ids)
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(ours, logits_of(tiny_gpt2, ids), atol=0.1)


def lens_of(model: Any, centered: bool) -> Any:
    """The same GPT-2 as a HookedTransformer, its weights otherwise unprocessed."""
    config = model.config
    lens_config = HookedTransformerConfig(
        n_layers=config.n_layer,
        d_model=config.n_embd,
        n_ctx=config.n_positions,
        d_head=config.n_embd // config.n_head,
        n_heads=config.n_head,
        d_vocab=config.vocab_size,
        act_fn="gelu_new",
        eps=config.layer_norm_epsilon,
        normalization_type="LN",
        device="cpu",
    )
    lens = HookedTransformer(lens_config)
    lens.load_and_process_state_dict(
        convert_gpt2_weights(model, lens_config),
        fold_ln=False,
        center_writing_weights=centered,
        center_unembed=False,
        fold_value_biases=False,
    )
    return lens.eval()


def test_the_first_positions_stay_as_they_are(tiny_gpt2: Any, ids: torch.Tensor) -> None:
    sae = LoadedSae.of(trained_module("topk"))
    assert sae.first_position == 1
    seen = []

    def zero(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return torch.zeros_like(x)

    with replaced_stream(tiny_gpt2, sae, zero):
        logits = logits_of(tiny_gpt2, ids)
    assert seen[0].shape == (3, 10, 32)
    torch.testing.assert_close(logits[:, 0], logits_of(tiny_gpt2, ids)[:, 0])
