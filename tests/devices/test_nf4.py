"""Weights of 4 bits on the CPU: what reads and steers them follows the residual stream's type."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

from evenkeel.activations.store import ActivationStore
from evenkeel.activations.writer import write_store
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import Provenance, record_provenance
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add
from tests.activations.conftest import ROWS, capture_params

pytest.importorskip("bitsandbytes")
WIDTH = 64


@pytest.fixture(params=[torch.float32, torch.bfloat16])
def nf4(request: pytest.FixtureRequest, tokenizer: Any, tmp_path: Path) -> LoadedModel:
    """A tiny Llama whose linear layers are packed as nf4."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "whole")
    packed = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=request.param
    )
    model = AutoModelForCausalLM.from_pretrained(
        tmp_path / "whole", quantization_config=packed, device_map="cpu", dtype=request.param
    ).eval()
    assert type(model.model.layers[0].mlp.up_proj).__name__ == "Linear4bit"
    record = Provenance(
        source="local", name="nf4", revision="r", fingerprint="f", tokenizer_hash="t",
        dtype="float32",
    )  # fmt: skip
    return LoadedModel(model, tokenizer, record)


def states_of(loaded: LoadedModel, text: str) -> tuple[torch.Tensor, ...]:
    ids = torch.tensor([loaded.encoder.encode(text)])
    with torch.inference_mode():
        found = loaded.model(ids, output_hidden_states=True, use_cache=False)
    return (*found.hidden_states[1:-1], found.logits)


def test_what_is_cached_is_what_the_model_reports(nf4: LoadedModel, tmp_path: Path) -> None:
    write_store(tmp_path / "a.h5", nf4, ROWS, capture_params(layers=[0, 1]))
    with ActivationStore.open(tmp_path / "a.h5") as store:
        for layer in (0, 1):
            expected = [states_of(nf4, row["text"])[layer][0].float() for row in ROWS]
            found = store.read("resid_post", layer)
            # Padding changes how products are rounded.
            error = np.linalg.norm(found - torch.cat(expected).numpy()) / np.linalg.norm(found)
            assert error < 0.02


def test_an_intervention_acts_and_leaves_the_model_as_it_was(nf4: LoadedModel) -> None:
    text = "The nurse said that she was tired."
    before = states_of(nf4, text)
    direction = torch.nn.functional.normalize(torch.randn(WIDTH), dim=0)
    with steer(nf4.model, [Ablate(direction, layer=1, site="resid_post", sinks="include")]):
        ablated = states_of(nf4, text)
    share = (ablated[1].float() @ direction).abs().max() / (
        before[1].float() @ direction
    ).abs().max()
    assert share < 0.02
    assert not torch.equal(ablated[-1], before[-1])
    with steer(nf4.model, [Add(direction, 0.0, layer=1, site="resid_post")]):
        assert torch.equal(states_of(nf4, text)[-1], before[-1])
    for one, other in zip(states_of(nf4, text), before, strict=True):
        assert torch.equal(one, other)


def test_a_packed_model_is_saved_and_loaded(nf4: LoadedModel, tmp_path: Path) -> None:
    nf4.model.save_pretrained(tmp_path / "packed")
    nf4.tokenizer.save_pretrained(tmp_path / "packed")
    dtype = str(nf4.model.dtype).removeprefix("torch.")
    record_provenance(tmp_path / "packed", "local", "packed", dtype)  # type: ignore[arg-type]
    loaded = load_model(tmp_path / "packed", "cpu")
    text = "The nurse said that"
    assert torch.equal(states_of(loaded, text)[-1], states_of(nf4, text)[-1])
