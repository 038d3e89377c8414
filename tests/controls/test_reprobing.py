"""A fresh probe finds what an edit leaves, and nothing where everything is taken."""

from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.controls.reprobing import last_streams, reprobe
from evenkeel.datasets.records import Prompt
from evenkeel.scoring.group_reads import encode_text
from evenkeel.statistics.estimate import Estimate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add
from tests.evaluation.samples import make_four_groups, make_prompts

SETTINGS = {"batch_size": 4, "resamples": 100, "seed": 0}


def prompts() -> list[Prompt]:
    """Train prompts are those of validation, so that probes have something to learn from."""
    return [
        prompt.model_copy(update={"split": "train"}) if prompt.split == "validation" else prompt
        for prompt in make_prompts()
    ]


def test_streams_agree_with_one_prompt_at_a_time(tiny_gpt2: Any, tokenizer: Any) -> None:
    rows = [encode_text(tokenizer, prompt.text) for prompt in prompts()]
    edit = Add(layer=1, site="resid_post", direction=torch.arange(32.0))
    with steer(tiny_gpt2, edit):
        found = last_streams(tiny_gpt2, rows, [0, 1], 4)
        for index, row in enumerate(rows):
            with torch.no_grad():
                hidden = tiny_gpt2(torch.tensor([row]), output_hidden_states=True).hidden_states
            for layer in (0, 1):
                expected = hidden[layer + 1][0, -1].numpy()
                np.testing.assert_allclose(found[layer][index], expected, rtol=1e-3, atol=1e-4)


def test_no_edit_changes_nothing(tiny_gpt2: Any, tokenizer: Any) -> None:
    nothing = Add(layer=1, site="resid_post", direction=torch.ones(32), scale=0)
    found = reprobe(tiny_gpt2, tokenizer, prompts(), [nothing], **SETTINGS)
    assert {(r.target, r.layer, r.probe) for r in found} == {
        (target, 2, probe)
        for target in ("stereotypical", "definitional")
        for probe in ("linear", "mlp")
    }
    for row in found:
        assert row.change == Estimate(0, 0, 0)
        assert row.unsteered == row.steered
        assert row.unsteered.low is not None
        assert row.unsteered.high is not None
        assert 0 <= row.unsteered.low <= row.unsteered.high <= 1


def test_taking_everything_leaves_chance(tiny_gpt2: Any, tokenizer: Any) -> None:
    all_but_two = torch.eye(32)[:30]
    found = reprobe(
        tiny_gpt2,
        tokenizer,
        prompts(),
        [
            Ablate(layer=2, site="resid_post", directions=all_but_two),
            Ablate(layer=2, site="resid_post", directions=torch.eye(32)[30:]),
        ],
        **SETTINGS,
    )
    assert {row.layer for row in found} == {2}
    assert [row.steered.value for row in found] == pytest.approx([0.5] * len(found), abs=0.05)


def test_a_target_without_two_sides_is_left_out(tiny_gpt2: Any, tokenizer: Any) -> None:
    nothing = Add(layer=0, site="resid_post", direction=torch.ones(32), scale=0)
    one_sided = [p for p in prompts() if p.kind != "definitional" or p.expected == "female"]
    found = reprobe(tiny_gpt2, tokenizer, one_sided, [nothing], **SETTINGS)
    assert {row.target for row in found} == {"stereotypical"}
    assert {row.layer for row in found} == {1, 2}


def test_of_four_groups_each_is_told_from_the_others(tiny_gpt2: Any, tokenizer: Any) -> None:
    """Test prompts are those of train, which a probe of 32 dimensions knows by heart."""
    train = [prompt for prompt in make_four_groups() if prompt.split == "train"]
    known = [*train, *(prompt.model_copy(update={"split": "test"}) for prompt in train)]
    nothing = Add(layer=1, site="resid_post", direction=torch.ones(32), scale=0)
    found = reprobe(tiny_gpt2, tokenizer, known, [nothing], **SETTINGS)
    assert {row.target for row in found} == {"stereotypical", "definitional"}
    assert {row.items for row in found} == {4}
    assert all((row.unsteered.value or 0) > 0.6 for row in found)
