"""Self-Debias is its equation, read in batches as alone, and generates what it reads."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from tokenizers.processors import TemplateProcessing
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.encoding import TextEncoder
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.steering.continuations import continue_ids
from evenkeel.steering.self_debias import SelfDebiased
from tests.evaluation.samples import TEXTS, make_prompts

DIAGNOSIS = "It rained: "
HOW: dict[str, Any] = {"max_new_tokens": 5, "top_p": 1.0, "batch_size": 4, "seed": 0}


@pytest.fixture(params=["bare", "begun"])
def tokenizer(tokenizer: Any, request: pytest.FixtureRequest) -> Any:
    """One that puts nothing before a text, and one that puts its first token there."""
    own = deepcopy(tokenizer)
    if request.param == "begun":
        begin = [(own.bos_token, own.bos_token_id)]
        own.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"{own.bos_token} $A", special_tokens=begin
        )
    return own


def alone(model: Any, tokenizer: Any, ids: tuple[int, ...], decay: float) -> Tensor:
    """Log-probabilities of the token after a text, by the equation."""
    added = tuple(tokenizer(DIAGNOSIS, add_special_tokens=False)["input_ids"])
    front = len(TextEncoder.of(tokenizer).added.front)
    with torch.no_grad():
        plain, warned = (
            model(torch.tensor([row])).logits[0, -1].double().softmax(-1)
            for row in (ids, ids[:front] + added + ids[front:])
        )
    difference = plain - warned
    weight = torch.where(difference >= 0, 1.0, (decay * difference).exp())
    return (weight * plain / (weight * plain).sum()).log()


def prompt_set(model: Any, tokenizer: Any) -> PromptSet:
    return PromptSet.of(model, tokenizer, make_prompts()[:8], TEXTS[:3])


def test_without_decay_it_is_the_model_bit_for_bit(tiny_gpt2: Any, tokenizer: Any) -> None:
    debiased = SelfDebiased(tiny_gpt2, tokenizer, DIAGNOSIS, 0.0)
    asked = prompt_set(tiny_gpt2, tokenizer)
    before, after = (asked.read(each, 4) for each in (tiny_gpt2, debiased))
    assert (before.stereotypical == after.stereotypical).all()
    assert (before.losses == after.losses).all()
    for temperature in (0.0, 0.7):
        texts = [
            continue_ids(each, tokenizer, TEXTS[:3], temperature=temperature, **HOW)
            for each in (tiny_gpt2, debiased)
        ]
        assert texts[0] == texts[1]


def test_what_is_read_in_batches_is_the_equation_of_each_text(
    tiny_gpt2: Any, tokenizer: Any
) -> None:
    decay = 30.0
    debiased = SelfDebiased(tiny_gpt2, tokenizer, DIAGNOSIS, decay)
    asked = prompt_set(tiny_gpt2, tokenizer)
    found = asked.read(debiased, 4)
    assert abs(found.losses - asked.read(tiny_gpt2, 4).losses).max() > 0.01
    for text, loss in zip(asked.texts, found.losses, strict=True):
        expected = -sum(
            float(alone(tiny_gpt2, tokenizer, text[:end], decay)[text[end]])
            for end in range(1, len(text))
        )
        assert loss == pytest.approx(expected, rel=1e-4)


def test_it_generates_the_likeliest_of_what_it_reads(tiny_gpt2: Any, tokenizer: Any) -> None:
    decay = 200.0
    debiased = SelfDebiased(tiny_gpt2, tokenizer, DIAGNOSIS, decay)
    how = HOW | {"temperature": 0.0}
    found = continue_ids(debiased, tokenizer, TEXTS[:3], **how)
    assert found != continue_ids(tiny_gpt2, tokenizer, TEXTS[:3], **how)
    encoder = TextEncoder.of(tokenizer)
    for text, new in zip(TEXTS, found, strict=False):
        ids = encoder.encode(text)
        for token in new:
            assert int(alone(tiny_gpt2, tokenizer, ids, decay).argmax()) == token
            ids = (*ids, token)


def test_a_text_that_leaves_no_room_for_the_diagnosis_is_refused(
    tiny_gpt2: Any, tokenizer: Any
) -> None:
    debiased = SelfDebiased(tiny_gpt2, tokenizer, "It rained. " * 12, 1.0)
    with pytest.raises(BadInputError, match=r"model's context 64; shorten evaluation\.self_debias"):
        prompt_set(tiny_gpt2, tokenizer).read(debiased, 4)
    with pytest.raises(BadInputError, match=r"or drop self_debias from evaluation\.baselines"):
        continue_ids(debiased, tokenizer, TEXTS[:2], temperature=0.0, **HOW)
