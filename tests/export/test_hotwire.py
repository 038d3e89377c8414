import json
from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.export.hotwire import read_hotwire, write_hotwire
from evenkeel.steering.gates import TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention
from tests.models.families import tiny_model

IDS = torch.tensor([[5, 9, 2, 7, 30]])
ONES = torch.ones(32)


def added(**changed: Any) -> Add:
    where: Any = {"layer": 1, "site": "resid_post", "sinks": "include"} | changed
    return Add(ONES, 2.0, **where)


@torch.no_grad()
def test_what_hotwire_adds_steers_alike(tmp_path: Path) -> None:
    """Done as its kernel does: hidden[t] += scale * bank[layer] at the end of a decoder layer."""
    model = tiny_model("llama")
    given = [
        Add(torch.randn(32), 2.0, layer=0, site="resid_post", sinks="include"),
        Add(torch.randn(32), -1.0, layer=1, site="resid_pre", sinks="include"),
        Add(torch.randn(32), 3.0, layer=2, site="resid_post", sinks="include"),
    ]
    write_hotwire(tmp_path / "fair.pt", model, given)
    matrix = torch.load(tmp_path / "fair.pt", weights_only=True)
    assert matrix.shape == (len(model.model.layers), 32)
    asked = json.loads(json.loads((tmp_path / "fair.json").read_text())["vllm_xargs"]["hotwire"])
    assert [(one["id"], one["layer"], one["scale"]) for one in asked] == [
        ("fair", 0, 1.0), ("fair", 2, 1.0),
    ]  # fmt: skip
    with steer(model, given):
        expected = model(IDS).logits
    for one in asked:
        row = one["scale"] * matrix[one["layer"]]
        model.model.layers[one["layer"]].register_forward_hook(
            lambda *call, row=row: call[-1] + row
        )
    torch.testing.assert_close(model(IDS).logits, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_reader_of_hotwire_finds_the_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and requests read by the plugin itself; only its kernel, for GPUs, is done here."""
    state = pytest.importorskip("hotwire._state", reason="hotwire-vllm is not installed")
    model = tiny_model("llama")
    given = [
        Add(torch.randn(32), 2.0, layer=0, site="resid_post", sinks="include"),
        Add(torch.randn(32), 3.0, layer=2, site="resid_post", sinks="include"),
    ]
    write_hotwire(tmp_path / "fair.pt", model, given)
    with steer(model, given):
        expected = model(IDS).logits
    monkeypatch.setenv("HOTWIRE_VECTORS", str(tmp_path))
    monkeypatch.setattr(state, "_STATE", None)
    layers = model.model.layers
    read = state.init(len(layers), 32, 8, torch.device("cpu"), torch.float32)
    asked = json.loads((tmp_path / "fair.json").read_text())["vllm_xargs"]["hotwire"]
    entries = state.parse_spec(asked)
    assert len(entries) == 2
    for entry in entries:
        slot = read.slot_for(entry["id"], entry["layer"], entry["scale"])
        row = read.bank.scales[slot] * read.bank.bank[slot]
        layers[entry["layer"]].register_forward_hook(lambda *call, row=row: call[-1] + row)
    torch.testing.assert_close(model(IDS).logits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Ablate(ONES, layer=1, site="resid_post", sinks="include"), "it can only add"),
        (added(sinks="exclude"), "acts at all positions and knows no gates.*--include-sinks"),
        (added(positions="prompt"), "acts at all positions"),
        (added(gates=(TokenGate((1,)),)), "knows no gates"),
        (added(site="mlp_out"), "adds to what a block returns"),
        (added(layer=0, site="resid_pre"), "adds to what a block returns"),
    ],
)
def test_what_it_cannot_do_is_refused(item: Intervention, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=message):
        write_hotwire(tmp_path / "a.pt", tiny_model("llama"), item)
    assert not list(tmp_path.iterdir())


def test_models_whose_blocks_it_does_not_find(tiny_gpt2: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"\*DecoderLayer, and those .* are GPT2Block"):
        write_hotwire(tmp_path / "a.pt", tiny_gpt2, added())
    with pytest.raises(BadInputError, match=r"a\.bin: hotwire reads \.pt files"):
        write_hotwire(tmp_path / "a.bin", tiny_gpt2, added())


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    write_hotwire(tmp_path / "a.pt", tiny_model("llama"), added())
    (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:200])
    with pytest.raises(BadInputError, match=r"a\.pt: no export for hotwire .*; export it again"):
        read_hotwire(tmp_path / "a.pt")
