"""Interventions on latents: the SAE's own edit, its error kept, whatever the architecture."""

from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.export.control_vector import write_control_vector
from evenkeel.sae.loading import LoadedSae
from evenkeel.steering.bias_edit import bias_edit
from evenkeel.steering.hooks import steer
from evenkeel.steering.latents import Clamp, EditLatents, Scale
from evenkeel.steering.spec import InterventionSpec
from evenkeel.steering.wrapper import wrap
from tests.steering.saes import ARCHITECTURES, random_sae

IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])
FEATURES = (7, 2, 11)


def edited_by_hand(item: EditLatents, sae: LoadedSae, stream: torch.Tensor) -> torch.Tensor:
    latents = sae.encode(stream)
    changed = latents.clone()
    for feature in item.features:
        if isinstance(item, Clamp):
            changed[..., feature] = item.value
        elif isinstance(item, Scale):
            changed[..., feature] *= item.factor
    error = stream - sae.decode(latents, like=stream)
    return sae.decode(changed, like=stream) + error


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_only_the_listed_latents_change_and_the_error_stays(architecture: str) -> None:
    sae = random_sae("mlp_out", 1, architecture)
    stream = torch.randn(2, 40, 32)
    assert (sae.encode(stream)[..., FEATURES] > 0).any(0).any(0).all()
    for item in (
        Clamp.of(sae, FEATURES),
        Clamp.of(sae, FEATURES, value=4.0),
        Scale.of(sae, FEATURES, factor=0.125),
    ):
        assert (item.layer, item.site) == (1, "mlp_out")
        assert item.sae.d_sae == (12 if architecture == "topk" else 3)
        torch.testing.assert_close(
            item(stream), edited_by_hand(item, sae, stream), atol=1e-5, rtol=1e-4
        )
    assert torch.equal(Scale.of(sae, FEATURES, factor=1.0)(stream), stream)
    silent = (sae.encode(stream)[..., FEATURES] == 0).all(-1)
    assert silent.any()
    assert torch.equal(Clamp.of(sae, FEATURES)(stream)[silent], stream[silent])
    assert Clamp.of(sae, FEATURES)(stream.bfloat16()).dtype == torch.bfloat16


@torch.no_grad()
def test_backends_do_alike_or_refuse(tiny_gpt2: Any, tmp_path: Path) -> None:
    spec = [Clamp.of(random_sae("resid_post", 1), FEATURES, value=3.0)]
    plain = tiny_gpt2(IDS).logits
    with steer(tiny_gpt2, spec):
        logits = tiny_gpt2(IDS).logits
    with wrap(tiny_gpt2, spec):
        assert torch.equal(tiny_gpt2(IDS).logits, logits)
    assert (logits - plain).abs().max() > 1e-2
    assert torch.equal(tiny_gpt2(IDS).logits, plain)
    with pytest.raises(BadInputError, match="depends on latents that no weight computes"):
        bias_edit(tiny_gpt2, spec).__enter__()
    with pytest.raises(BadInputError, match="cannot be a GGUF control vector: it can only add"):
        write_control_vector(tmp_path / "vector.gguf", tiny_gpt2, spec)


@torch.no_grad()
def test_tokens_that_the_sae_was_not_trained_on_are_left_alone(tiny_gpt2: Any) -> None:
    spec = Clamp.of(random_sae("resid_post", 2, first=2), FEATURES, value=3.0)
    padded = torch.cat([torch.zeros(1, 3, dtype=torch.long), IDS[:1]], dim=1)
    real = (torch.arange(8) >= 3).long().unsqueeze(0)
    place = (real.cumsum(1) - 1).clamp(min=0)
    plain = tiny_gpt2(IDS[:1]).logits
    with steer(tiny_gpt2, spec):
        alone = tiny_gpt2(IDS[:1]).logits
        left = tiny_gpt2(padded, attention_mask=real, position_ids=place).logits[:, 3:]
        with pytest.raises(BadInputError, match="needs an attention_mask of shape"):
            tiny_gpt2(IDS, attention_mask=torch.ones(2, 1, 5, 5, dtype=torch.bool))
    changed = (alone - plain).abs().amax((0, 2)) > 1e-3
    assert changed.tolist() == [False, False, True, True, True]
    torch.testing.assert_close(left, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_spec_keeps_the_sae_or_what_of_it_is_needed(architecture: str, tmp_path: Path) -> None:
    item = Clamp.of(random_sae("resid_post", 1, architecture, first=1), FEATURES, value=2.0)
    InterventionSpec((item,)).save(tmp_path / "spec")
    (loaded,) = InterventionSpec.load(tmp_path / "spec").interventions
    stream = torch.randn(2, 5, 32)
    assert torch.equal(loaded(stream), item(stream))
    assert loaded.first_position == 1
    InterventionSpec((loaded,)).save(tmp_path / "again")
    for name in ("record.json", "tensors.safetensors"):
        assert (tmp_path / "spec" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_what_makes_no_sense_is_refused() -> None:
    sae = random_sae("resid_post", 1)
    with pytest.raises(BadInputError, match=r"features \[12\]: this SAE of .* from 0 to 11"):
        Clamp.of(sae, [3, 12])
    with pytest.raises(BadInputError, match="no features are listed"):
        Scale.of(sae, [], factor=0.5)
    with pytest.raises(BadInputError, match="factor is nan; it must be a finite"):
        Scale.of(sae, [3], factor=float("nan"))
    with pytest.raises(BadInputError, match="its SAE belongs at layer 1, resid_post"):
        Clamp(sae, (3,), layer=2, site="resid_post")
