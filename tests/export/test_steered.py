"""What lm-evaluation-harness makes of our file: its own model of the type `steered` reads it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.export.steered import write_steered_file
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention

hf_steered = pytest.importorskip("lm_eval.models.hf_steered")
IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])
ONES = torch.ones(32)


@torch.no_grad()
def test_the_harness_gives_our_logits_and_our_text(
    tiny_gpt2: Any, tiny_folder: Path, tmp_path: Path
) -> None:
    given = [
        Add(torch.randn(32), 2.0, layer=0, site="resid_post", sinks="include"),
        Add(
            torch.randn(32), -3.0, layer=1, site="resid_pre", sinks="include"
        ),  # at the same module
        Add(torch.randn(32), layer=2, site="ln2_out", sinks="include"),
        Ablate(torch.randn(32), layer=1, site="attn_out", sinks="include"),
        MeanAblate(torch.randn(32), torch.randn(32), layer=1, site="mlp_out", sinks="include"),
        Ablate(torch.randn(32), layer=2, site="resid_post", sinks="include"),
    ]
    path = tmp_path / "steered.pt"
    write_steered_file(path, tiny_gpt2, given)
    harness = hf_steered.SteeredModel(str(tiny_folder), str(path), device="cpu")
    plain = tiny_gpt2(IDS).logits
    with steer(tiny_gpt2, given):
        expected = tiny_gpt2(IDS).logits
        text = tiny_gpt2.generate(
            IDS, attention_mask=torch.ones_like(IDS), do_sample=False, max_new_tokens=6
        )
    torch.testing.assert_close(harness._model_call(IDS), expected, atol=1e-5, rtol=1e-5)
    assert (expected - plain).abs().max() > 1e-2
    found = harness._model_generate(
        IDS, IDS.shape[1] + 6, stop=[], attention_mask=torch.ones_like(IDS), do_sample=False
    )
    assert torch.equal(found, text)


def test_the_file_holds_plain_data_and_the_same_spec_gives_the_same_bytes(
    tiny_gpt2: Any, tmp_path: Path
) -> None:
    for name in ("one.pt", "two.pt"):
        write_steered_file(
            tmp_path / name, tiny_gpt2, Add(ONES, 2.0, layer=1, site="resid_post", sinks="include")
        )
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()
    (hookpoint,) = torch.load(tmp_path / "one.pt", weights_only=True).items()
    assert hookpoint[0] == "h.1"
    assert torch.equal(hookpoint[1]["steering_vector"], 2 * ONES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Add(ONES, layer=0, site="resid_pre", sinks="include"), "edits what modules return"),
        (
            Ablate(ONES, layer=1, site="head_z", sinks="include"),
            "Ablate at layer 1, head_z cannot be a steered",
        ),
        (
            Add(ONES, layer=1, site="resid_post", positions="last", sinks="include"),
            "acts at all positions",
        ),
        (
            Add(ONES, layer=1, site="resid_post", gates=(TokenGate((1,)),), sinks="include"),
            "knows no gates",
        ),
        (
            Ablate(ONES, 0.5, layer=1, site="resid_post", sinks="include"),
            "clamps one direction, and in full",
        ),
        (
            Ablate(torch.eye(32)[:2], layer=1, site="resid_post", sinks="include"),
            "clamps one direction",
        ),
        (
            Erase(
                torch.ones(32, 1),
                torch.ones(1, 32),
                ONES,
                layer=1,
                site="resid_post",
                sinks="include",
            ),
            "can only add a vector or clamp",
        ),
        (
            [
                Add(ONES, layer=1, site="resid_post", sinks="include"),
                Ablate(ONES, layer=2, site="resid_pre", sinks="include"),
            ],
            "several are wanted there",
        ),
        (Add(ONES, layer=1, site="resid_post"), "acts at all positions .*--include-sinks"),
        ([], "holds no intervention"),
    ],
)
def test_what_it_cannot_hold_is_refused(
    tiny_gpt2: Any, tmp_path: Path, given: Intervention, message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        write_steered_file(tmp_path / "steered.pt", tiny_gpt2, given)
    with pytest.raises(BadInputError, match=r"reads \.pt files"):
        write_steered_file(tmp_path / "steered.bin", tiny_gpt2, given)
    assert list(tmp_path.iterdir()) == []
