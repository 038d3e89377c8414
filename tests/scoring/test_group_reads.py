"""Scores of groups agree with one forward pass a continuation, in Python floats."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.scoring.group_reads import EncodedPrompt, encode_prompt, group_log_probs
from tests.evaluation.samples import make_four_groups


def probability(model: Any, context: list[int], continuation: list[int]) -> float:
    """P(continuation | context), token by token, one unpadded text at a time."""
    result = 1.0
    for token in continuation:
        with torch.no_grad():
            logits = model(torch.tensor([context])).logits[0, -1].double()
        result *= float(logits.softmax(0)[token])
        context = [*context, token]
    return result


def straightforward(model: Any, tokenizer: Any, prompt: Prompt) -> list[float]:
    sums = []
    for group, words in prompt.continuations.items():
        context = tokenizer(prompt.context(group))["input_ids"]
        tokens = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
        sums.append(math.log(sum(probability(model, context, ids) for ids in tokens)))
    return sums


def scored(prompts: list[Prompt]) -> list[Prompt]:
    return [prompt for prompt in prompts if prompt.kind != "neutral"]


def test_agrees_with_one_prompt_at_a_time(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]
) -> None:
    encoded = [encode_prompt(tokenizer, prompt) for prompt in scored(prompts)]
    assert {len(ids) for prompt in encoded for ids in prompt.continuations[0]} > {1}, (
        "no long continuation"
    )
    expected = [straightforward(tiny_gpt2, tokenizer, prompt) for prompt in scored(prompts)]
    found = group_log_probs(tiny_gpt2, encoded, batch_size=5)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.std(found[:, 0] - found[:, 1]) > 0.01


def test_items_given_groups_agree_with_one_prompt_at_a_time(tiny_gpt2: Any, tokenizer: Any) -> None:
    prompts = [p for p in make_four_groups() if p.direction == "item_given_group"]
    prompts = [p.model_copy(update={"lead_in": "It rained. "}) for p in prompts[:5]]
    encoded = [encode_prompt(tokenizer, prompt) for prompt in prompts]
    assert len(set(encoded[0].contexts)) == 4, "a text for each group"
    expected = [straightforward(tiny_gpt2, tokenizer, prompt) for prompt in prompts]
    np.testing.assert_allclose(group_log_probs(tiny_gpt2, encoded, 3), expected, atol=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_batch_size_and_padding_side_change_nothing(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt], side: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(tokenizer, "padding_side", side)
    encoded = [encode_prompt(tokenizer, prompt) for prompt in scored(prompts)]
    single = group_log_probs(tiny_gpt2, encoded, batch_size=1)
    assert len({len(prompt.contexts[0]) for prompt in encoded}) > 1, "nothing would be padded"
    for batch_size in (2, 7, 100):
        np.testing.assert_allclose(
            group_log_probs(tiny_gpt2, encoded, batch_size), single, atol=1e-5
        )


def test_models_without_an_unembedding_of_their_own_agree(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]
) -> None:
    encoded = [encode_prompt(tokenizer, prompt) for prompt in scored(prompts)]

    class Plain(torch.nn.Module):
        config = tiny_gpt2.config

        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny_gpt2

        def forward(self, input_ids: Any, attention_mask: Any, use_cache: bool) -> Any:
            return self.inner(input_ids, attention_mask=attention_mask, use_cache=use_cache)

    found = group_log_probs(Plain(), encoded, batch_size=8)
    np.testing.assert_allclose(found, group_log_probs(tiny_gpt2, encoded, batch_size=8), atol=1e-5)


def test_groups_swapped_swap_their_scores(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]
) -> None:
    prompt = scored(prompts)[0]
    female, male = prompt.continuations.values()
    swapped = prompt.model_copy(update={"continuations": {"female": male, "male": female}})
    one, two = group_log_probs(
        tiny_gpt2, [encode_prompt(tokenizer, each) for each in (prompt, swapped)], 2
    )
    assert one.tolist() == pytest.approx(two[::-1].tolist(), abs=1e-9)
    assert one[0] != one[1]


def test_begin_of_text_comes_once_and_only_before_the_prompt(
    tokenizer: Any, prompts: list[Prompt]
) -> None:
    class WithBos:
        """A tokenizer whose post-processor puts token 0 before every text."""

        def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
            ids = tokenizer(text)["input_ids"]
            return {"input_ids": [0, *ids] if add_special_tokens else ids}

    prompt = scored(prompts)[0]
    plain, marked = encode_prompt(tokenizer, prompt), encode_prompt(WithBos(), prompt)
    assert marked.contexts[0] == (0, *plain.contexts[0])
    assert marked.continuations == plain.continuations


def test_a_continuation_that_merges_with_the_prompt_is_encoded_alone(tokenizer: Any) -> None:
    class Merging:
        """A tokenizer that makes one token of a whole text."""

        def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
            return {"input_ids": [len(text)]}

    prompt = Prompt(
        id="p", axis="gender", kind="stereotypical", template="t", item="x", split="test",
        text="ab", continuations={"female": ("cde",), "male": ("f",)},
    )  # fmt: skip
    assert encode_prompt(Merging(), prompt) == EncodedPrompt(((2,), (2,)), (((3,),), ((1,),)))


@pytest.mark.parametrize("words", [(), (" she", " she"), ("",)])
def test_bad_continuations_are_refused(
    tokenizer: Any, prompts: list[Prompt], words: tuple[str, ...]
) -> None:
    continuations = {"female": words, "male": (" he",)}
    prompt = scored(prompts)[0].model_copy(update={"continuations": continuations})
    with pytest.raises(BadInputError, match=rf"{prompt.id}: continuations .* of female"):
        encode_prompt(tokenizer, prompt)


def test_a_prompt_beyond_the_context_is_refused(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]
) -> None:
    long = prompts[0].model_copy(update={"text": "It rained and rained. " * 40})
    with pytest.raises(BadInputError, match="tokens does not fit the model's context of 64"):
        group_log_probs(tiny_gpt2, [encode_prompt(tokenizer, long)], batch_size=1)


def test_no_prompts_have_no_group_log_probs(tiny_gpt2: Any) -> None:
    assert group_log_probs(tiny_gpt2, [], batch_size=1).shape == (0, 0)
