"""Loading: what was saved is what runs; what cannot be trusted or used is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.models.hub import download_model
from evenkeel.models.loading import copy_model, load_model
from evenkeel.models.memory import count_parameters
from evenkeel.models.provenance import record_provenance


def test_a_loaded_model_gives_the_saved_models_logits(tiny_folder: Path, tiny_gpt2: Any) -> None:
    provenance = record_provenance(tiny_folder, "local", "tiny", "float32")
    loaded = load_model(tiny_folder, device="cpu")
    assert loaded.provenance == provenance
    assert loaded.revision == provenance.fingerprint
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(ids).logits, tiny_gpt2(ids).logits)
    assert not loaded.model.training


def test_the_fingerprint_follows_the_weights_and_nothing_else(
    tiny_folder: Path, tmp_path: Path
) -> None:
    first = record_provenance(tiny_folder, "local", "tiny", "float32")
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_model(tiny_folder, copy)
    assert (
        record_provenance(copy, "local", "other name", "float32").fingerprint == first.fingerprint
    )
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert record_provenance(copy, "local", "tiny", "float32").fingerprint != first.fingerprint


def test_what_was_computed_on_another_model_is_refused(tiny_folder: Path) -> None:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    loaded = load_model(tiny_folder)
    own = {"model": {"name": "tiny", "fingerprint": loaded.fingerprint}, "seed": 0}
    from_elsewhere: dict[str, Any] = {"seed": 0}
    loaded.require_own(Path("vectors"), [own, from_elsewhere])

    other = {"model": {"name": "other", "fingerprint": "0" * 64}}
    with pytest.raises(BadInputError, match=r"^vectors: computed on other \(0{12}\), but .* tiny"):
        loaded.require_own(Path("vectors"), [own, other])


def test_bfloat16_is_kept(tiny_folder: Path) -> None:
    record_provenance(tiny_folder, "local", "tiny", "bfloat16")
    assert load_model(tiny_folder, device="cpu").model.dtype == torch.bfloat16


def test_attention_is_computed_as_asked(tiny_folder: Path) -> None:
    record_provenance(tiny_folder, "local", "tiny", "float32", attn_implementation="eager")
    eager = load_model(tiny_folder, device="cpu").model
    assert eager.config._attn_implementation == "eager"
    record_provenance(tiny_folder, "local", "tiny", "float32")
    assert load_model(tiny_folder, device="cpu").model.config._attn_implementation == "sdpa"


def test_a_model_that_does_not_fit_says_what_it_needs(tiny_folder: Path, monkeypatch: Any) -> None:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    loaded = load_model(tiny_folder, device="cpu")
    stored = {p.data_ptr(): p.numel() for p in loaded.model.parameters()}
    assert count_parameters(tiny_folder) == sum(stored.values())  # tied weights are stored once
    needed = 4 * sum(stored.values())
    monkeypatch.setattr("evenkeel.models.memory.free_memory", lambda device, spread: needed)
    load_model(tiny_folder, device="cpu")
    monkeypatch.setattr("evenkeel.models.memory.free_memory", lambda device, spread: needed - 1)
    with pytest.raises(
        BadInputError, match=r"tiny: its 0\.00 .* in float32 .* bfloat16, or choose"
    ):
        load_model(tiny_folder, device="cpu")


def test_pickled_weights_are_refused(tiny_folder: Path) -> None:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    (tiny_folder / "model.safetensors").rename(tiny_folder / "pytorch_model.bin")
    with pytest.raises(BadInputError, match="pickled weights are never loaded"):
        load_model(tiny_folder)


def test_a_truncated_weights_file_is_refused(tiny_folder: Path) -> None:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    weights = tiny_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(BadInputError, match=r"its header is said to be \d+ bytes long"):
        load_model(tiny_folder)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path, tiny_folder: Path) -> None:
    with pytest.raises(BadInputError, match=r"no config\.json there"):
        load_model(tmp_path)
    with pytest.raises(BadInputError, match=r"evenkeel\.json: no such file"):
        load_model(tiny_folder)
    (tiny_folder / "evenkeel.json").write_text(json.dumps({"source": "web"}))
    with pytest.raises(BadInputError, match="not a record of ours"):
        load_model(tiny_folder)
    record_provenance(tiny_folder, "local", "tiny", "float32")
    (tiny_folder / "config.json").unlink()
    with pytest.raises(BadInputError, match=r"no config\.json there"):
        load_model(tiny_folder)


def test_an_unreachable_hub_is_one_clear_message(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(BadInputError, match=r"'nobody/none' at revision 'main': the hub cannot be"):
        download_model("nobody/none", None, trust_remote_code=False)
    with pytest.raises(BadInputError, match="no such repository or revision"):
        download_model("not a name", None, trust_remote_code=False)


def test_a_cached_hub_model_resolves_to_its_commit(
    tmp_path: Path, tiny_folder: Path, monkeypatch: Any
) -> None:
    commit = "a" * 40
    repo = tmp_path / "hub" / "models--someone--tiny"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    snapshot = repo / "snapshots" / commit
    snapshot.mkdir(parents=True)
    copy_model(tiny_folder, snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    folder, revision = download_model("someone/tiny", "main", trust_remote_code=False)
    assert revision == commit
    assert folder == snapshot
