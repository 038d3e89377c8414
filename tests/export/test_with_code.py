"""A folder that steers by itself: read in a fresh interpreter without Evenkeel, as its users do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from evenkeel.errors import BadInputError
from evenkeel.export.with_code import write_model_with_code
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate, ProbeGate, TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.latents import Clamp
from evenkeel.steering.loreft import Loreft
from evenkeel.steering.rotation import Rotate
from tests.models.families import tiny_model
from tests.steering.saes import random_sae

READER = """
import sys
sys.modules["evenkeel"] = None
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, given, found = sys.argv[1:]
given = load_file(given)
model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
assert len(tokenizer) > 0
with torch.no_grad():
    logits = model(**given).logits
    text = model.generate(**given, do_sample=False, max_new_tokens=8)
save_file({"logits": logits, "text": text}, found)
"""
PADDED = {
    "input_ids": torch.tensor([[0, 0, 5, 9, 2, 7], [8, 8, 1, 40, 3, 11]]),
    "attention_mask": torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]]),
}


def spec(model: Any) -> list[Intervention]:
    """One of each kind, gated so that some positions are open and some are not."""
    torch.manual_seed(3)
    streams: dict[int, torch.Tensor] = {}
    with torch.no_grad():
        for layer, hidden in enumerate(model(**PADDED, output_hidden_states=True).hidden_states):
            streams[layer - 1] = hidden[1].float()
    direction = torch.randn(32)
    middle = float((streams[1] @ direction).median())
    along = streams[0] @ (direction / direction.norm())
    rows = torch.linalg.qr(torch.randn(32, 2)).Q.mT.contiguous()
    gate = ProbeGate(direction, -middle)
    band = BandGate(
        direction, float(along.median()), float((along - along.median()).abs().median())
    )
    post: Any = {"site": "resid_post"}
    return [
        Add(torch.randn(32), 2.0, layer=0, gates=(band,), **post),
        Ablate(torch.randn(32), 1.1, layer=1, gates=(gate,), **post),
        Loreft(rows, torch.randn(2, 32), torch.randn(2), layer=1, gates=(gate,), **post),
        MeanAblate(torch.randn(2, 32), torch.randn(32), layer=0, site="mlp_out", sinks="include"),
        Erase(
            torch.randn(32, 1),
            torch.randn(1, 32) / 9,
            torch.randn(32),
            0.5,
            layer=1,
            site="resid_pre",
        ),
    ]


def read_elsewhere(folder: Path, tmp_path: Path) -> Any:
    save_file(PADDED, tmp_path / "given")
    command = [sys.executable, "-c", READER, str(folder), str(tmp_path / "given")]
    return subprocess.run(
        [*command, str(tmp_path / "found")],
        env=os.environ | {"HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
    )


@torch.no_grad()
def test_a_fresh_interpreter_says_the_same_if_it_trusts_the_code(
    tiny_gpt2: Any, tokenizer: Any, tmp_path: Path
) -> None:
    model, folder = tiny_gpt2, tmp_path / "steered"
    plain = model(**PADDED).logits
    given = spec(model)
    with steer(model, given):
        expected = model(**PADDED).logits
        text = model.generate(**PADDED, do_sample=False, max_new_tokens=8)
    assert (expected - plain).abs().max() > 1e-2

    write_model_with_code(folder, model, tokenizer, given)

    assert torch.equal(model(**PADDED).logits, plain)
    done = read_elsewhere(folder, tmp_path)
    assert done.returncode == 0, done.stderr
    found = load_file(tmp_path / "found")
    real = PADDED["attention_mask"].bool()
    torch.testing.assert_close(found["logits"][real], expected[real], atol=1e-4, rtol=1e-5)
    assert torch.equal(found["text"], text)
    # Without trust it is refused, and not read as the unsteered model.
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False)


def test_what_a_block_returns_beside_its_stream_stays(tokenizer: Any) -> None:
    from evenkeel.export.modeling_steered import _OutputHook

    class Doubled(_OutputHook):
        def edited(self, stream: Any) -> Any:
            return 2 * stream

    hook = Doubled(None, None)
    assert hook(None, (), (3, "cache", "weights")) == (6, "cache", "weights")
    assert hook(None, (), 3) == 6


def test_constants_are_not_rounded_to_the_models_type(tokenizer: Any, tmp_path: Path) -> None:
    """What is written is compared with the steered model, by a fresh interpreter."""
    model = tiny_model("llama").bfloat16()
    write_model_with_code(tmp_path / "steered", model, tokenizer, spec(model))
    config = json.loads((tmp_path / "steered" / "config.json").read_text())
    assert (config["dtype"], config["model_type"]) == ("bfloat16", "steered_llama")
    weights = load_file(tmp_path / "steered" / "model.safetensors")
    assert weights["steering.1.gates"].dtype == torch.float32


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Add(torch.ones(32), layer=1, site="resid_post", positions="last"), "not 'last'"),
        (
            Add(torch.ones(32), layer=1, site="resid_post", gates=(TokenGate((1,)),)),
            "knows no TokenGate",
        ),
        (Clamp.of(random_sae("resid_post", 1), [2]), "without an autoencoder.*evenkeel serve"),
        (Rotate(torch.ones(32), layer=1, site="resid_post"), "edits that are linear"),
        ([], "holds no intervention"),
    ],
)
def test_what_it_cannot_hold_is_refused(
    item: Any, message: str, tiny_gpt2: Any, tokenizer: Any, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=message):
        write_model_with_code(tmp_path / "steered", tiny_gpt2, tokenizer, item)
    assert not (tmp_path / "steered").exists()


def test_a_folder_that_is_there_and_a_model_that_brings_code(
    tiny_gpt2: Any, tokenizer: Any, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").touch()
    item = Add(torch.ones(32), layer=1, site="resid_post")
    with pytest.raises(BadInputError, match="is there already; name a new folder"):
        write_model_with_code(tmp_path / "full", tiny_gpt2, tokenizer, item)
    tiny_gpt2.__class__ = type("Own", (type(tiny_gpt2),), {"__module__": "somewhere"})
    with pytest.raises(BadInputError, match="Own is no class of transformers"):
        write_model_with_code(tmp_path / "steered", tiny_gpt2, tokenizer, item)
