"""The logits that are asked for, and no others, in every family."""

from typing import Any

import pytest
import torch
from torch import nn

from evenkeel.models.batching import padded
from evenkeel.models.logits import logits_at
from evenkeel.scoring.prefix_reuse import first_affected, recorded, resumed
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from tests.models.families import SAMPLE, tiny_model

INPUTS = padded([[1, 2, 3], [4, 5, 6, 7, 8], [9, 10, 11, 12]])
ROW, COLUMN = torch.tensor([[0, 2], [1, 0], [1, 4], [2, 3]]).T


@pytest.mark.parametrize("family", SAMPLE)
@torch.no_grad()
def test_logits_are_those_of_a_whole_pass(family: str) -> None:
    model = tiny_model(family)
    edit = [Add(torch.arange(32.0), 0.1, layer=1, site="resid_post")]
    with recorded(model) as outputs:
        plain = model(**INPUTS, use_cache=False).logits[ROW, COLUMN]
    unembedded: list[int] = []
    model.get_output_embeddings().register_forward_hook(
        lambda _module, _args, output: unembedded.append(output[..., 0].numel())
    )
    torch.testing.assert_close(logits_at(model, INPUTS, ROW, COLUMN), plain)
    with steer(model, edit):
        whole = model(**INPUTS, use_cache=False).logits[ROW, COLUMN]
        with resumed(model, outputs, first_affected(edit)):
            found = logits_at(model, INPUTS, ROW, COLUMN)
    torch.testing.assert_close(found, whole)
    assert not torch.allclose(whole, plain)
    assert unembedded == [len(ROW), INPUTS["input_ids"].numel(), len(ROW)]


@pytest.mark.parametrize("unembedding", [None, "input", "unused"])
@torch.no_grad()
def test_an_unembedding_that_is_not_found_is_let_be(tiny_gpt2: Any, unembedding: Any) -> None:
    plain = tiny_gpt2(**INPUTS, use_cache=False).logits[ROW, COLUMN]
    found = {"input": tiny_gpt2.get_input_embeddings(), "unused": nn.Linear(32, 9)}
    tiny_gpt2.get_output_embeddings = lambda: found.get(unembedding)
    assert torch.equal(logits_at(tiny_gpt2, INPUTS, ROW, COLUMN), plain)
