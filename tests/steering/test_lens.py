"""The same spec in TransformerLens: its logits and its text are those of our hooks."""

from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.models.sites import SITES
from evenkeel.steering.gates import BandGate, TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.latents import Clamp, Scale
from evenkeel.steering.lens import steer_lens
from tests.steering.saes import random_sae

transformer_lens = pytest.importorskip("transformer_lens")
IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])


@pytest.fixture
def hooked(tiny_gpt2: Any) -> Any:
    from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights

    config = transformer_lens.HookedTransformerConfig(
        n_layers=3,
        d_model=32,
        n_ctx=64,
        d_head=8,
        n_heads=4,
        d_vocab=tiny_gpt2.config.vocab_size,
        act_fn="gelu_new",
        normalization_type="LN",
        device="cpu",
    )
    model = transformer_lens.HookedTransformer(config).eval()
    model.load_state_dict(convert_gpt2_weights(tiny_gpt2, config), strict=False)
    with torch.no_grad():
        model.unembed.b_U.zero_()
    return model


@pytest.mark.parametrize("site", [site for site in SITES if not site.startswith("ln")])
@torch.no_grad()
def test_agrees_with_hooks(tiny_gpt2: Any, hooked: Any, site: Any) -> None:
    tiny_gpt2.generation_config.eos_token_id = None
    spec: list[Intervention] = [
        Add(torch.randn(32), 3.0, layer=1, site=site, gates=(BandGate(torch.randn(32), 0.0, 3.0),)),
        Ablate(torch.randn(2, 32), layer=1, site=site),
        Add(torch.randn(32), layer=2, site=site),
        Clamp.of(random_sae(site, 1, "topk"), (3, 7), value=2.0),
        Scale.of(random_sae(site, 2), (3, 7), factor=0.125),
    ]
    plain = hooked(IDS)
    with steer(tiny_gpt2, spec):
        logits = tiny_gpt2(IDS).logits
        text = tiny_gpt2.generate(
            IDS, attention_mask=torch.ones_like(IDS), do_sample=False, max_new_tokens=6
        )
    with steer_lens(hooked, spec):
        found = hooked(IDS)
        # Without its cache: with it TransformerLens 3.9 decodes this model otherwise, even plain.
        found_text = hooked.generate(
            IDS,
            max_new_tokens=6,
            do_sample=False,
            stop_at_eos=False,
            use_past_kv_cache=False,
            verbose=False,
        )
    torch.testing.assert_close(found, logits, atol=1e-4, rtol=1e-5)
    assert torch.equal(found_text, text)
    assert (found - plain).abs().max() > 1e-2
    assert torch.equal(hooked(IDS), plain)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Add(torch.ones(32), layer=3, site="resid_pre"), "no hook blocks.3.hook_resid_pre"),
        (Add(torch.ones(32), layer=1, site="ln1_out"), "names no hook for ln1_out of layer 1"),
        (Add(torch.ones(8), layer=1, site="head_z"), "width of 8, but this model has 32"),
        (Add(torch.ones(32), layer=1, site="mlp_out", positions="last"), "know neither positions"),
        (
            Add(torch.ones(32), layer=1, site="mlp_out", gates=(TokenGate((1,)),)),
            "know neither positions nor tokens",
        ),
    ],
)
def test_what_does_not_fit_is_refused(hooked: Any, item: Intervention, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        steer_lens(hooked, item).__enter__()


@torch.no_grad()
def test_first_tokens_are_left_alone_as_by_hooks(tiny_gpt2: Any, hooked: Any) -> None:
    spec = [
        Clamp.of(random_sae("mlp_out", 1, first=2), (3,), value=5.0),
        Add(torch.randn(32), 3.0, layer=2, site="resid_pre"),
    ]
    real = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    place = (real.cumsum(1) - 1).clamp(min=0)
    with steer(tiny_gpt2, spec):
        expected = tiny_gpt2(IDS, attention_mask=real, position_ids=place).logits
    with steer_lens(hooked, spec):
        found = hooked(IDS, attention_mask=real)
        alone = hooked(IDS[:1, 2:])
    torch.testing.assert_close(found[real.bool()], expected[real.bool()], atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(alone[0], found[0, 2:], atol=1e-4, rtol=1e-5)
