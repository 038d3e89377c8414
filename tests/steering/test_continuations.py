"""Continuations: the same seed, the same text, in any company."""

from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.steering.continuations import (
    continue_ids,
    continue_texts,
    spread_over_kinds,
    text_measures,
)
from evenkeel.steering.degeneration import is_degenerate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from tests.evaluation.samples import make_prompts

HOW: dict[str, Any] = {"max_new_tokens": 8, "top_p": 0.95, "batch_size": 64, "seed": 4}


def push(scale: float) -> Add:
    return Add(layer=0, site="resid_post", direction=torch.arange(32.0), scale=scale)


@pytest.fixture
def texts() -> list[str]:
    return ["The nurse said that", "My father", "Yesterday the engineer", "The weather was", "I"]


def test_the_same_seed_gives_the_same_text(
    tiny_gpt2: Any, tokenizer: Any, texts: list[str]
) -> None:
    state = torch.get_rng_state()
    one = continue_texts(tiny_gpt2, tokenizer, texts, temperature=1.0, **HOW)
    assert torch.equal(torch.get_rng_state(), state), "the generator of the process was used"
    torch.manual_seed(99)
    assert continue_texts(tiny_gpt2, tokenizer, texts, temperature=1.0, **HOW) == one
    other = continue_texts(tiny_gpt2, tokenizer, texts, temperature=1.0, **HOW | {"seed": 5})
    assert other != one


def test_batched_is_single(tiny_gpt2: Any, tokenizer: Any, texts: list[str]) -> None:
    batched = continue_texts(tiny_gpt2, tokenizer, texts, temperature=0, **HOW)
    for text, continuation in zip(texts, batched, strict=True):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        alone = tiny_gpt2.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=8
        )
        assert tokenizer.decode(alone[0, ids.shape[1] :], skip_special_tokens=True) == continuation


def test_only_a_real_change_changes_text(tiny_gpt2: Any, tokenizer: Any, texts: list[str]) -> None:
    plain = continue_texts(tiny_gpt2, tokenizer, texts, temperature=1.0, **HOW)
    with steer(tiny_gpt2, [push(0.0)]):
        assert continue_texts(tiny_gpt2, tokenizer, texts, temperature=1.0, **HOW) == plain
    with steer(tiny_gpt2, [push(5.0)]):
        assert continue_texts(tiny_gpt2, tokenizer, texts, temperature=1.0, **HOW) != plain
    assert continue_texts(tiny_gpt2, tokenizer, texts, temperature=1.0, **HOW) == plain


def test_a_text_given_again_is_continued_in_another_way(tiny_gpt2: Any, tokenizer: Any) -> None:
    """Within a batch and in the next one."""
    how = HOW | {"batch_size": 2, "temperature": 1.0}
    found = continue_texts(tiny_gpt2, tokenizer, ["The sky"] * 6, **how)
    assert len(set(found)) == 6


def test_kinds_take_turns_and_items_come_before_their_repeats() -> None:
    prompts = make_prompts()
    chosen = spread_over_kinds(prompts, 6)
    assert [prompt.kind for prompt in chosen[:3]].count("neutral") == 1
    assert {prompt.kind for prompt in chosen} == {"stereotypical", "definitional", "neutral"}
    assert len({(prompt.kind, prompt.item, prompt.split) for prompt in chosen}) == 6
    assert len({prompt.template for prompt in chosen}) > 2
    everything = spread_over_kinds(prompts, 1000)
    assert {prompt.id for prompt in everything} == {prompt.id for prompt in prompts}
    assert len(everything) == len(prompts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"prompt 1 \(from 0, ''\) is empty"),
        ("the " * 40, r"prompt 1 .* tokens and 8 new ones are to follow, but .* at most 64"),
    ],
)
def test_a_prompt_that_cannot_be_continued_is_refused(
    tiny_gpt2: Any, tokenizer: Any, text: str, message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        continue_texts(tiny_gpt2, tokenizer, ["The", text], temperature=0.0, **HOW)


def test_the_whole_context_can_be_written(tiny_gpt2: Any, tokenizer: Any) -> None:
    tiny_gpt2.generation_config.eos_token_id = 299
    text = "a" * 40
    limit = 64 - len(tokenizer(text)["input_ids"]) + 1
    how = HOW | {"max_new_tokens": limit, "temperature": 0.0}
    (ids,) = continue_ids(tiny_gpt2, tokenizer, [text], **how)
    assert len(ids) == limit
    with pytest.raises(BadInputError, match="at most 64"):
        continue_ids(tiny_gpt2, tokenizer, [text], **how | {"max_new_tokens": limit + 1})


@pytest.mark.parametrize("limit", range(1, 8))
def test_a_limit_within_a_character_is_no_collapse(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    ids = tokenizer(" she 护士")["input_ids"]

    def written(*_: Any, **how: Any) -> list[list[int]]:
        return [ids[: how["max_new_tokens"]], ids[:-1]]

    monkeypatch.setattr("evenkeel.steering.continuations.continue_ids", written)
    how = HOW | {"max_new_tokens": limit, "temperature": 0.0}
    cut, stopped = continue_texts(None, tokenizer, ["", ""], **how)
    assert " she 护士".startswith(cut)
    assert not is_degenerate(f"x{cut}")
    # Where the model itself stops in a character, it wrote half of one.
    assert is_degenerate(stopped) or limit == len(ids) - 1


def test_measures_of_text() -> None:
    found = text_measures(["she was tired", "no no no no no no no", ""], 1, 100, 0)
    assert found["degenerate_share"].value == pytest.approx(2 / 3)
    assert found["repetition"].value == pytest.approx(0.8 / 3)
    assert found["distinct_2"].value == pytest.approx(3 / 8)


def test_samples_that_are_all_alike_say_no_more_than_one() -> None:
    texts = ["she was tired", "no no no no no no no", "he said that he said that he was late"]
    thrice = [text for text in texts for _ in range(3)]
    assert text_measures(thrice, 3, 500, 0) == text_measures(texts, 1, 500, 0)
