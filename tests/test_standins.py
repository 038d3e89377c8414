"""The stand-ins of published models and SAEs load through the code that loads the real ones."""

from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.case_studies.cases import make_cases
from evenkeel.models.hub import download_model
from evenkeel.models.loading import LoadedModel, open_pretrained
from evenkeel.models.sites import HookPoint
from evenkeel.params import FeatureRecipeParams
from evenkeel.sae.loading import LoadedSae, fetch_sae
from evenkeel.steering.intervention import Add
from evenkeel.vectors.vector_set import VectorSet
from tests.evaluation.samples import make_vectors
from tests.standins import COMMIT, fill_cache

pytestmark = pytest.mark.xdist_group("standins")  # one worker fills the cache for all


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("hf")
    fill_cache(home)
    return home / "hub"


@pytest.fixture(autouse=True)
def _cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))


def opened(repository: str) -> tuple[Any, Any]:
    folder, commit = download_model(repository, None, trust_remote_code=False)
    assert commit == COMMIT
    return open_pretrained(folder, "float32")


@pytest.mark.parametrize(
    ("repository", "family", "layers"),
    [
        ("openai-community/gpt2", "gpt2", 12),
        ("openai-community/gpt2-large", "gpt2", 36),
        ("openai-community/gpt2-xl", "gpt2", 6),
        ("mistralai/Mistral-7B-v0.1", "mistral", 17),
    ],
)
def test_a_model_has_the_architecture_and_the_kind_of_tokens(
    repository: str, family: str, layers: int
) -> None:
    model, tokenizer = opened(repository)
    assert model.config.model_type == family
    assert model.config.num_hidden_layers == layers
    ids = tokenizer("The nurse said that she").input_ids
    assert (ids[0] == tokenizer.bos_token_id) == (family == "mistral")
    assert tokenizer.decode(ids, skip_special_tokens=True) == "The nurse said that she"
    space = "▁" if family == "mistral" else "Ġ"
    assert tokenizer.convert_ids_to_tokens(ids[-1]) == f"{space}she"
    rare = tokenizer("Ω", add_special_tokens=False).input_ids  # no piece has it: bytes
    assert tokenizer.decode(rare).strip() == "Ω"


@pytest.mark.parametrize(
    ("release", "sae_id", "latents", "repository"),
    [
        ("gpt2-small-res-jb", "blocks.8.hook_resid_pre", 24576, "openai-community/gpt2"),
        ("mistral-7b-res-wg", "blocks.16.hook_resid_pre", 65536, "mistralai/Mistral-7B-v0.1"),
    ],
)
def test_an_sae_of_the_registry_fits_its_model(
    release: str, sae_id: str, latents: int, repository: str
) -> None:
    sae = LoadedSae.of(fetch_sae(release, sae_id))
    assert sae.place == HookPoint.parse(sae_id)
    assert sae.d_sae == latents
    sae.require_fit(opened(repository)[0])


def test_a_feature_is_added_by_its_decoder_row() -> None:
    model, tokenizer = opened("openai-community/gpt2")
    sae = LoadedSae.of(fetch_sae("gpt2-small-res-jb", "blocks.8.hook_resid_pre"))
    recipe = FeatureRecipeParams(
        name="feature 11952",
        kind="feature",
        feature=11952,
        action="add",
        multipliers=[50, 300],
        positions="all",
        sinks="exclude",
        backends=["hooks"],
    )
    loaded = LoadedModel(model, tokenizer, provenance=None)  # type: ignore[arg-type]
    cases = make_cases(loaded, [recipe], ["Hello"], VectorSet.of(make_vectors(("caa",))), sae, ())
    assert [case.multiplier for case in cases] == [50, 300]
    for case, scale in zip(cases, (50, 300), strict=True):
        assert isinstance(case.intervention, Add)
        assert (case.intervention.layer, case.intervention.site) == (8, "resid_pre")
        moved = case.intervention(torch.zeros(1, 1, 32))[0, 0]
        row = sae.module.W_dec[11952].detach()
        torch.testing.assert_close(moved, scale * row / row.norm())
