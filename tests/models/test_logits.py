"""Logits in parts are the logits, in every family, and the blocks run once."""

from typing import Any

import pytest
import torch

from evenkeel.models import logits as logits_module
from evenkeel.models.architecture import architecture_of
from evenkeel.models.batching import padded
from evenkeel.models.logits import logits_at, logits_in_parts, rows_of_logits
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from tests.models.families import SAMPLE, tiny_model

INPUTS = padded([[1, 2, 3], [4, 5, 6, 7, 8], [9, 10, 11, 12]])
ROW, COLUMN = INPUTS["attention_mask"].nonzero(as_tuple=True)


@pytest.fixture
def three_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logits_module, "rows_of_logits", lambda _: 3)


@pytest.mark.usefixtures("three_at_once")
@pytest.mark.parametrize("family", SAMPLE)
@torch.no_grad()
def test_parts_are_the_whole_and_blocks_run_once(family: str) -> None:
    model = tiny_model(family)
    before = [sorted(vars(module)) for module in model.modules()]
    push = Add(torch.arange(32.0), 0.1, layer=1, site="resid_post")
    ran: list[int] = []
    architecture_of(model).blocks(model)[0].register_forward_hook(lambda *_: ran.append(1))
    with steer(model, push):
        whole = logits_at(model, INPUTS, ROW, COLUMN)
        ran.clear()
        parts = [
            (where, part.clone()) for where, part in logits_in_parts(model, INPUTS, ROW, COLUMN)
        ]
    assert len(ran) == 1
    assert [len(part) for _, part in parts] == [3, 3, 3, 3]
    assert torch.equal(torch.cat([torch.arange(12)[where] for where, _ in parts]), torch.arange(12))
    torch.testing.assert_close(torch.cat([part for _, part in parts]), whole)
    assert before == [sorted(vars(module)) for module in model.modules()]


@pytest.mark.usefixtures("three_at_once")
@torch.no_grad()
def test_a_model_whose_blocks_are_its_own_children_is_run_again(tiny_gpt2: Any) -> None:
    class Flat(torch.nn.Module):
        """The blocks stand directly in the model that returns logits."""

        def __init__(self) -> None:
            super().__init__()
            self.h, self.inner, self.config = tiny_gpt2.transformer.h, tiny_gpt2, tiny_gpt2.config
            self.config.evenkeel_blocks = "h"

        def forward(self, **given: Any) -> Any:
            return self.inner(**given)

        def get_input_embeddings(self) -> Any:
            return self.inner.get_input_embeddings()

        def get_output_embeddings(self) -> Any:
            return self.inner.get_output_embeddings()

    whole = logits_at(tiny_gpt2, INPUTS, ROW, COLUMN)
    parts = [part for _, part in logits_in_parts(Flat(), INPUTS, ROW, COLUMN)]
    torch.testing.assert_close(torch.cat(parts), whole)


@pytest.mark.usefixtures("three_at_once")
@torch.no_grad()
def test_a_model_without_an_unembedding_of_its_own_is_run_once(tiny_gpt2: Any) -> None:
    class Plain(torch.nn.Module):
        config = tiny_gpt2.config

        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny_gpt2

        def forward(self, **given: Any) -> Any:
            return self.inner(**given)

    whole = logits_at(tiny_gpt2, INPUTS, ROW, COLUMN)
    parts = [part for _, part in logits_in_parts(Plain(), INPUTS, ROW, COLUMN)]
    assert [len(part) for part in parts] == [3, 3, 3, 3]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_no_more_logits_than_are_allowed(tiny_gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logits_module, "LOGITS_AT_ONCE", 1000)
    assert rows_of_logits(tiny_gpt2) == 1000 // tiny_gpt2.config.vocab_size
    monkeypatch.setattr(logits_module, "LOGITS_AT_ONCE", 10)
    assert rows_of_logits(tiny_gpt2) == 1
