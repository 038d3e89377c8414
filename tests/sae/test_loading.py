"""Our encode, decode and edit are SAELens's, for every architecture and normalization."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import SAE
from sae_lens.saes.gated_sae import GatedSAE, GatedSAEConfig
from sae_lens.saes.sae import SAEMetadata

from evenkeel.errors import BadInputError
from evenkeel.files.markers import mark_folder
from evenkeel.models.sites import HookPoint
from evenkeel.sae.loading import LoadedSae, fetch_sae, open_sae, read_sae
from evenkeel.sae.saving import save_module

from .conftest import PLACE, WIDTH, trained_module

TRAINED = ["standard", "topk", "batchtopk", "jumprelu", "matryoshka_batchtopk"]


def gated_module() -> Any:
    config = GatedSAEConfig(d_in=WIDTH, d_sae=24, metadata=SAEMetadata(hook_name=PLACE.hook_name))
    module = GatedSAE(config)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def module_of(architecture: str, normalization: str) -> Any:
    module = gated_module() if architecture == "gated" else trained_module(architecture)
    config = module.cfg.to_dict() | {"normalize_activations": normalization}
    copy = SAE.from_dict(config)
    copy.load_state_dict(module.state_dict())
    return copy


@pytest.mark.parametrize("normalization", ["none", "constant_norm_rescale", "layer_norm"])
@pytest.mark.parametrize("architecture", [*TRAINED, "gated"])
def test_encode_and_decode_are_those_of_sae_lens(architecture: str, normalization: str) -> None:
    module = module_of(architecture, normalization)
    sae = LoadedSae.of(module)
    x = torch.randn(2, 7, WIDTH) * 3 + 1
    with torch.no_grad():
        latents = module.encode(x)
        reconstruction = module.decode(latents)
    assert (latents > 0).any()
    torch.testing.assert_close(sae.encode(x), latents, rtol=0, atol=0)
    torch.testing.assert_close(sae.decode(latents, like=x), reconstruction)
    torch.testing.assert_close(sae.decode(latents, like=x), reconstruction)  # and again

    edited = latents * 0.125
    torch.testing.assert_close(
        sae.editing(torch.arange(len(sae.features)), lambda found: found * 0.125)(x),
        sae.decode(edited, like=x) + (x - reconstruction),
        rtol=1e-4,
        atol=1e-4,
    )
    assert torch.equal(sae.editing(torch.arange(len(sae.features)), lambda found: found)(x), x)


def test_decoding_a_normalizing_sae_needs_the_stream() -> None:
    sae = LoadedSae.of(module_of("topk", "layer_norm"))
    with pytest.raises(BadInputError, match=r"decode\(latents, like=stream\)"):
        sae.decode(torch.ones(1, 24))


def test_decoder_rows_of_a_rescaling_topk_sae_have_norm_one() -> None:
    module = trained_module("topk")
    module.cfg.rescale_acts_by_decoder_norm = True
    with torch.no_grad():
        module.W_dec.mul_(torch.rand(24, 1) + 0.5)
    sae = LoadedSae.of(module)
    x = torch.randn(5, WIDTH)
    with torch.no_grad():
        torch.testing.assert_close(sae.decode(sae.encode(x)), module(x))
    torch.testing.assert_close(sae.decoder.norm(dim=1), torch.ones(24))


@pytest.mark.parametrize("architecture", TRAINED)
def test_a_saved_sae_loads_in_sae_lens_and_here(architecture: str, tmp_path: Path) -> None:
    module = trained_module(architecture)
    frequency = torch.linspace(0, 1, 24)
    save_module(tmp_path / "sae", module, frequency)
    theirs, ours = SAE.load_from_disk(tmp_path / "sae"), open_sae(tmp_path / "sae")
    x = torch.randn(9, WIDTH)
    with torch.no_grad():
        torch.testing.assert_close(theirs.encode(x), module.encode(x), rtol=0, atol=0)
        torch.testing.assert_close(ours.encode(x), module.encode(x), rtol=0, atol=0)
    assert ours.place == PLACE
    assert ours.first_position == 1
    assert theirs.cfg.metadata.hook_name == "blocks.1.hook_resid_post"
    assert sorted(path.name for path in (tmp_path / "sae").iterdir()) == [
        ".evenkeel",
        "cfg.json",
        "sae_weights.safetensors",
        "sparsity.safetensors",
    ]
    before = {path.name: path.read_bytes() for path in (tmp_path / "sae").iterdir()}
    save_module(tmp_path / "sae", module, frequency)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "sae").iterdir()}


def test_heads_are_taken_side_by_side() -> None:
    module = trained_module("standard")
    module.cfg.metadata.hook_name = "blocks.2.attn.hook_z"
    module.turn_on_forward_pass_hook_z_reshaping()
    x = torch.randn(
        2, 3, 4, WIDTH // 4
    )  # as TransformerLens has them: texts, tokens, heads, d_head
    with torch.no_grad():
        latents, reconstruction = module.encode(x), module.decode(module.encode(x))
    sae = LoadedSae.of(module)
    assert sae.place == HookPoint("head_z", 2)
    torch.testing.assert_close(sae.encode(x.flatten(2)), latents)
    torch.testing.assert_close(sae.decode(latents), reconstruction.flatten(2))


def test_an_sae_of_another_model_is_refused(sae: LoadedSae, tiny_gpt2: Any) -> None:
    sae.require_fit(tiny_gpt2)
    narrow = SAE.from_dict(sae.module.cfg.to_dict() | {"d_in": 16})
    with pytest.raises(BadInputError, match=r"blocks\.1\.hook_resid_post of width 16, .* 32 wide"):
        LoadedSae.of(narrow).require_fit(tiny_gpt2)
    deep = SAE.from_dict(sae.module.cfg.to_dict())
    deep.cfg.metadata.hook_name = "blocks.8.hook_resid_pre"
    with pytest.raises(BadInputError, match="layer 8 does not exist"):
        LoadedSae.of(deep).require_fit(tiny_gpt2)


def test_an_sae_that_says_too_little_is_refused(sae: LoadedSae) -> None:
    nameless = SAE.from_dict(sae.module.cfg.to_dict())
    nameless.cfg.metadata.hook_name = None
    with pytest.raises(BadInputError, match="names no hook_name, so its layer is not known"):
        LoadedSae.of(nameless)
    unfolded = SAE.from_dict(sae.module.cfg.to_dict())
    unfolded.cfg.normalize_activations = "expected_average_only_in"
    with pytest.raises(BadInputError, match="not folded into its weights; run train_sae"):
        LoadedSae.of(unfolded)


def test_a_folder_that_is_no_sae_is_refused(sae: LoadedSae, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no cfg\.json there"):
        open_sae(tmp_path)
    save_module(tmp_path / "sae", sae.module, torch.ones(24))
    weights = tmp_path / "sae" / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BadInputError, match=r"sae_weights\.safetensors: damaged, or changed"):
        read_sae(tmp_path / "sae")
    mark_folder(tmp_path / "sae")  # as if it had been written so
    with pytest.raises(BadInputError, match="cannot be loaded as an SAE"):
        read_sae(tmp_path / "sae")
    save_module(tmp_path / "sae", sae.module, torch.ones(24))
    config = json.loads((tmp_path / "sae" / "cfg.json").read_text())
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(config | {"architecture": "mystery"}))
    mark_folder(tmp_path / "sae")
    with pytest.raises(BadInputError, match="cannot be loaded as an SAE"):
        read_sae(tmp_path / "sae")


@pytest.fixture
def cached_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache that holds a tiny stand-in of gpt2-small-res-jb, in the layout of its days."""
    folder = tmp_path / "hub" / "models--jbloom--GPT2-Small-SAEs-Reformatted"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("b" * 40)
    snapshot = folder / "snapshots" / ("b" * 40) / "blocks.8.hook_resid_pre"
    module = trained_module("standard")
    save_module(snapshot, module, torch.ones(24))
    config = {
        "architecture": "standard",
        "model_name": "gpt2-small",
        "hook_point": "blocks.8.hook_resid_pre",
        "hook_point_layer": 8,
        "hook_point_head_index": None,
        "dataset_path": "Skylion007/openwebtext",
        "is_dataset_tokenized": False,
        "context_size": 128,
        "d_in": WIDTH,
        "d_sae": 24,
        "activation_fn_str": "relu",
        "apply_b_dec_to_input": True,
        "prepend_bos": True,
        "dtype": "torch.float32",
        "device": "cpu",
    }
    (snapshot / "cfg.json").write_text(json.dumps(config))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return snapshot


def test_a_release_loads_through_the_registry_from_a_cache(cached_release: Path) -> None:
    sae = LoadedSae.of(fetch_sae("gpt2-small-res-jb", "blocks.8.hook_resid_pre"))
    assert sae.place == HookPoint("resid_pre", 8)
    assert sae.first_position == 0
    assert sae.centered  # it was trained on TransformerLens's processed weights
    trained, x = trained_module("standard"), torch.randn(3, WIDTH)
    with torch.no_grad():
        theirs = trained.encode(x - x.mean(-1, keepdim=True))
    torch.testing.assert_close(sae.encode(x + 5), theirs)


@pytest.mark.usefixtures("cached_release")
def test_a_release_that_cannot_be_had_is_one_clear_message() -> None:
    with pytest.raises(BadInputError, match="registry has no such release"):
        fetch_sae("gpt5-secret", "blocks.8.hook_resid_pre")
    with pytest.raises(BadInputError, match=r"'gpt2-small-res-jb' has blocks\.0\.hook_resid_pre,"):
        fetch_sae("gpt2-small-res-jb", "blocks.99.hook_resid_pre")
    with pytest.raises(BadInputError, match="the hub cannot be reached and the files are not"):
        fetch_sae("gpt2-small-res-jb", "blocks.7.hook_resid_pre")


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"hook_name": 8}, r"cfg\.json: the SAE's cfg\.json names no hook_name"),
        ({"hook_name": "../x"}, r"cfg\.json: hook name '\.\./x': no such hook point"),
        ({"seqpos_slice": [-1, None]}, r"cfg\.json: the SAE's seqpos_slice \[-1, None\]; give it"),
        ({"seqpos_slice": -1}, r"cfg\.json: the SAE's seqpos_slice -1; give it as"),
        ({"seqpos_slice": ["9" * 5000, None]}, r"cfg\.json: the SAE's seqpos_slice"),
        ({"seqpos_slice": [[1], None]}, r"cfg\.json: the SAE's seqpos_slice"),
    ],
)
def test_what_an_sae_claims_is_checked(
    sae: LoadedSae, tmp_path: Path, claim: dict[str, Any], message: str
) -> None:
    save_module(tmp_path / "sae", sae.module, torch.ones(24))
    path = tmp_path / "sae" / "cfg.json"
    config = json.loads(path.read_text())
    config["metadata"] |= claim
    path.write_text(json.dumps(config))
    mark_folder(tmp_path / "sae")
    with pytest.raises(BadInputError, match=message):
        open_sae(tmp_path / "sae")


def test_weights_that_are_no_numbers_are_refused(sae: LoadedSae, tmp_path: Path) -> None:
    module = deepcopy(sae.module)
    with torch.no_grad():
        module.W_dec[3, 4] = float("nan")
    save_module(tmp_path / "sae", module, torch.ones(24))
    with pytest.raises(BadInputError, match=r"sae: NaN or infinity in W_dec; get the SAE again"):
        open_sae(tmp_path / "sae")
