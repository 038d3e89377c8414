"""First-order estimates are derivatives: of small edits they say what is measured."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.metrics import bias
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.scoring.steered_reads import SteeredReads
from evenkeel.selection.first_order import estimated_reductions
from evenkeel.steering.erasure import MeanAblate
from evenkeel.steering.gates import BandGate, ProbeGate
from evenkeel.steering.intervention import Ablate, Add, Intervention
from tests.evaluation.samples import TEXTS, make_four_groups, make_prompts
from tests.models.families import tiny_model

SMALL = 0.01


def edits(scale: float) -> list[list[Intervention]]:
    """Of every kind, at several sites and layers, alone and together."""
    generator = torch.Generator().manual_seed(0)
    direction, other = torch.randn(2, 32, generator=generator)
    open_often = ProbeGate(direction, bias=0.0)
    add = Add(0.02 * direction, scale, layer=0, site="resid_post")
    ablate = Ablate(other, scale, layer=1, site="resid_post", sinks="include")
    return [
        [add],
        [replace(add, layer=1, gates=(open_often,))],
        [
            Add(
                0.02 * other,
                -scale,
                layer=1,
                site="mlp_out",
                gates=(BandGate(direction, 0.0, 1.0),),
            )
        ],
        [ablate],
        [replace(ablate, layer=0, site="head_z")],
        [add, ablate],
        [MeanAblate(other, 0.02 * direction, scale, layer=0, site="resid_post")],
    ]


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("groups", [2, 4])
def test_a_small_edit_does_what_its_estimate_says(family: str, groups: int, tokenizer: Any) -> None:
    model = tiny_model(family, vocab_size=len(tokenizer))
    made = make_prompts() if groups == 2 else make_four_groups()
    chosen = [prompt for prompt in made if prompt.split == "test"]
    prompt_set = PromptSet.of(model, tokenizer, chosen, TEXTS)
    measures = PromptSetMeasures(prompt_set, 0, 0)
    reads = SteeredReads(model, prompt_set, batch_size=64)
    before = measures.items.scores(reads.baseline)
    estimates = estimated_reductions(model, prompt_set, measures.items, edits(SMALL), 64)
    assert len(np.unique(estimates)) == len(estimates)
    ahead, behind = (
        np.array(
            [
                bias.bias_reduction(before, measures.items.scores(steered))
                for steered in reads.steered(edits(scale), "edits")
            ]
        )
        for scale in (SMALL, -SMALL)
    )
    measured = (ahead - behind) / 2  # the second order cancels
    assert estimates == pytest.approx(measured, abs=0.02 * np.abs(measured).max())
    single = estimated_reductions(model, prompt_set, measures.items, edits(SMALL), 1)
    assert single == pytest.approx(estimates, abs=1e-3 * np.abs(estimates).max())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_nothing_is_estimated_of_a_model_that_tells_no_items_apart(tokenizer: Any) -> None:
    model = tiny_model("gpt2", vocab_size=len(tokenizer))
    with torch.no_grad():
        model.get_output_embeddings().weight.zero_()
    chosen = [prompt for prompt in make_prompts() if prompt.split == "test"]
    prompt_set = PromptSet.of(model, tokenizer, chosen, TEXTS)
    measures = PromptSetMeasures(prompt_set, 0, 0)
    found = estimated_reductions(model, prompt_set, measures.items, edits(SMALL), 64)
    assert np.isnan(found).all()
