"""What conditions cost is counted: to make them, and to run them."""

from typing import Any

import pytest
import torch

from evenkeel.conditions.adapter import AdapterCondition
from evenkeel.conditions.eraser import EraserCondition
from evenkeel.conditions.prompt import PromptCondition, PromptedCondition
from evenkeel.conditions.self_debias import SelfDebiasCondition
from evenkeel.conditions.spec import SpecCondition
from evenkeel.conditions.vector import Gating, VectorCondition, tokens_behind
from evenkeel.evaluation.cost import CostMeter
from evenkeel.learning.adapters import Adapter
from evenkeel.models.loading import LoadedModel
from evenkeel.steering.intervention import Ablate
from evenkeel.vectors.vector import SteeringVector
from tests.evaluation.samples import make_erasers

PREFIX = "Be fair. "


@pytest.fixture
def meter(tiny_gpt2: Any, tokenizer: Any) -> CostMeter:
    return CostMeter(LoadedModel(tiny_gpt2, tokenizer, provenance=None), "The maid left because")  # type: ignore[arg-type]


def vector(layer: int, method: str = "caa", **metadata: Any) -> SteeringVector:
    return SteeringVector.of(
        torch.ones(32), axis="gender", method=method, site="resid_post", layer=layer,
        stream_norm=1.0, metadata=metadata,
    )  # fmt: skip


def test_an_edit_adds_little_and_one_of_all_layers_as_much_as_its_parts(meter: CostMeter) -> None:
    ablations = [Ablate(torch.ones(32), layer=layer, site="resid_post") for layer in range(3)]
    one = meter.cost(SpecCondition("one", tuple(ablations[:1])))
    all_layers = meter.cost(SpecCondition("all", tuple(ablations)))
    assert 0 < one.added_operations < 0.05
    assert all_layers.added_operations == pytest.approx(3 * one.added_operations, rel=0.02)
    assert one.added_tokens == 0
    wider = meter.cost(EraserCondition(tuple(make_erasers()), "leace"))
    assert wider.added_operations > 0
    assert meter.cost(SpecCondition("one", tuple(ablations[:1]))) == one


def test_prefixes_are_read_and_add_nothing_to_a_token(meter: CostMeter, tokenizer: Any) -> None:
    length = len(tokenizer(PREFIX)["input_ids"])
    prompt = meter.cost(PromptCondition(PREFIX))
    assert (prompt.train_tokens, prompt.added_operations, prompt.added_tokens) == (0, 0.0, length)
    steered = VectorCondition(((vector(1, tokens_read=40),),), "ablate", 1.0)
    both = meter.cost(PromptedCondition(steered, PREFIX))
    assert both == meter.cost(steered).model_copy(update={"added_tokens": length})


def test_self_debias_reads_twice_and_an_adapter_is_merged(meter: CostMeter, tokenizer: Any) -> None:
    twice = meter.cost(SelfDebiasCondition(PREFIX, 10.0))
    assert twice.added_operations == 1.0
    assert twice.added_tokens == len(tokenizer(PREFIX)["input_ids"])
    adapter = AdapterCondition(Adapter(1, {}), "cda_lora", lambda _: (Adapter(1, {}), 7), 0)
    assert meter.cost(adapter).added_operations == 0
    assert meter.cost(adapter).train_tokens is None
    assert adapter.of_shuffled_items(1) == []


def test_what_is_fitted_to_the_same_texts_reads_them_once() -> None:
    fitted = [vector(layer, tokens_read=40) for layer in (0, 1)]
    gatings = [Gating(tokens_read=5), Gating(tokens_read=5)]
    assert tokens_behind(fitted, gatings) == 45
    trained = [vector(layer, "bipo", tokens_read=300) for layer in (0, 1)]
    assert tokens_behind(trained, ()) == 600
    assert tokens_behind([*fitted, vector(2)], ()) is None
