from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from evenkeel.errors import BadInputError
from evenkeel.export.baked import write_baked_model
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention
from tests.models.families import tiny_model

IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])
ONES = torch.ones_like(IDS)


def ablate_everywhere() -> list[Intervention]:
    direction = torch.randn(32)
    places = [(0, "resid_pre")] + [
        (layer, site) for layer in range(3) for site in ("attn_out", "mlp_out")
    ]
    return [
        Ablate(direction, layer=layer, site=site, sinks="include")  # type: ignore[arg-type]
        for layer, site in places
    ]


def add() -> list[Intervention]:
    return [Add(torch.randn(32), 3.0, layer=1, site="resid_post", sinks="include")]


@pytest.mark.parametrize("given", [add, ablate_everywhere])
@torch.no_grad()
def test_from_pretrained_gives_the_steered_model(
    tiny_gpt2: Any, tokenizer: Any, tmp_path: Path, given: Any
) -> None:
    spec = given()
    plain = tiny_gpt2(IDS).logits
    with steer(tiny_gpt2, spec):
        expected = tiny_gpt2(IDS).logits
        text = tiny_gpt2.generate(IDS, attention_mask=ONES, do_sample=False, max_new_tokens=6)
    for name in ("one", "two"):
        write_baked_model(tmp_path / name, tiny_gpt2, tokenizer, spec)
    baked = AutoModelForCausalLM.from_pretrained(tmp_path / "one")
    torch.testing.assert_close(baked(IDS).logits, expected, atol=1e-4, rtol=1e-5)
    found = baked.generate(IDS, attention_mask=ONES, do_sample=False, max_new_tokens=6)
    assert torch.equal(found, text)
    assert AutoTokenizer.from_pretrained(tmp_path / "one").get_vocab() == tokenizer.get_vocab()
    assert torch.equal(tiny_gpt2(IDS).logits, plain)
    assert (expected - plain).abs().max() > 1e-2
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


@pytest.mark.parametrize("family", ["llama", "falcon", "gpt_neox", "opt"])
@torch.no_grad()
def test_biases_are_added_where_the_config_allows_them(
    family: str, tokenizer: Any, tmp_path: Path
) -> None:
    model, spec = tiny_model(family), add()
    with steer(model, spec):
        expected = model(IDS).logits
    write_baked_model(tmp_path / "baked", model, tokenizer, spec)
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "baked")(IDS).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("flag", ["mlp_bias", "attention_bias"])
def test_only_the_bias_that_is_needed_is_added(tokenizer: Any, tmp_path: Path, flag: str) -> None:
    site: Any = "mlp_out" if flag == "mlp_bias" else "attn_out"
    spec = Add(torch.randn(32), layer=1, site=site, sinks="include")
    write_baked_model(tmp_path / "baked", tiny_model("llama"), tokenizer, spec)
    config = AutoConfig.from_pretrained(tmp_path / "baked")
    assert (config.mlp_bias, config.attention_bias) == (flag == "mlp_bias", flag != "mlp_bias")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_read_back_is_compared(
    tiny_gpt2: Any,
    tokenizer: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dtype: torch.dtype,
) -> None:
    model, spec = tiny_gpt2.to(dtype), add()
    write_baked_model(tmp_path / "good", model, tokenizer, spec)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "good").dtype == dtype
    monkeypatch.setattr("evenkeel.export.baked.bias_edit", lambda *_: nullcontext())
    with pytest.raises(BadInputError, match="differs from the steered one by"):
        write_baked_model(tmp_path / "wrong", model, tokenizer, spec)
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("family", ["mistral", "qwen2", "qwen3", "phi3", "gemma"])
def test_a_bias_that_a_family_has_no_place_for_is_refused(
    family: str, tokenizer: Any, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=r"has no place for model.layers.1.mlp.down_proj.bias"):
        write_baked_model(tmp_path / "baked", tiny_model(family), tokenizer, add())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(
    tiny_gpt2: Any, tokenizer: Any, tmp_path: Path
) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(BadInputError, match="is there already; name a new folder"):
        write_baked_model(tmp_path, tiny_gpt2, tokenizer, add())
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_large_logits_are_compared_beyond_their_rounding(
    tiny_gpt2: Any, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of float32 logits of this size the last bit is worth more than what never matters."""
    with torch.no_grad():
        tiny_gpt2.transformer.ln_f.weight.mul_(1e4)
    with steer(tiny_gpt2, add()), torch.no_grad():
        assert tiny_gpt2(IDS).logits.abs().max() > 1e4
    write_baked_model(tmp_path / "good", tiny_gpt2, tokenizer, ablate_everywhere())
    monkeypatch.setattr("evenkeel.export.baked.bias_edit", lambda *_: nullcontext())
    with pytest.raises(BadInputError, match="differs from the steered one by"):
        write_baked_model(tmp_path / "wrong", tiny_gpt2, tokenizer, ablate_everywhere())
