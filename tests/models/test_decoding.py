"""Greedy is greedy, and sampling is from the model, whatever a model's own settings say."""

from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from evenkeel.models.decoding import ignored_settings, plain_decoding
from evenkeel.steering.continuations import continue_ids

HOW: dict[str, Any] = {"max_new_tokens": 12, "top_p": 1.0, "batch_size": 4, "seed": 3}
SETTINGS: list[dict[str, Any]] = [
    {"repetition_penalty": 5.0},
    {"num_beams": 3},
    {"no_repeat_ngram_size": 1},
    {"min_p": 0.9, "do_sample": True},
    {"top_k": 1, "do_sample": True},
    {"temperature": 9.0, "do_sample": True},
    {"typical_p": 0.2, "do_sample": True},
    {"epsilon_cutoff": 0.5, "do_sample": True},
    {"min_new_tokens": 3},
    {"max_length": 4},
    {"num_return_sequences": 1, "return_dict_in_generate": True},
    {"bad_words_ids": [[5]]},
    {"begin_suppress_tokens": list(range(1, 60))},
    {"forced_eos_token_id": 0},
    {"renormalize_logits": True, "guidance_scale": 3.0},
    {"exponential_decay_length_penalty": (1, 9.0)},
]
TEXTS = ["The nurse said that", "My father"]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_settings_of_the_model_change_nothing(
    tiny_gpt2: Any, tokenizer: Any, temperature: float
) -> None:
    plain = continue_ids(tiny_gpt2, tokenizer, TEXTS, temperature=temperature, **HOW)
    banned = [*{token for row in plain for token in row}]
    for settings in [*SETTINGS, {"suppress_tokens": banned}]:
        own = GenerationConfig(eos_token_id=0, pad_token_id=0, **settings)
        tiny_gpt2.generation_config = own
        found = continue_ids(tiny_gpt2, tokenizer, TEXTS, temperature=temperature, **HOW)
        assert found == plain, settings
        assert tiny_gpt2.generation_config is own


@torch.no_grad()
def test_greedy_is_the_most_likely_token(tiny_gpt2: Any, tokenizer: Any) -> None:
    tiny_gpt2.generation_config = GenerationConfig(repetition_penalty=3.0)
    (found,) = continue_ids(tiny_gpt2, tokenizer, TEXTS[:1], temperature=0.0, **HOW)
    ids = tokenizer(TEXTS[0])["input_ids"]
    for token in found:
        assert int(tiny_gpt2(torch.tensor([ids])).logits[0, -1].argmax()) == token
        ids.append(token)


def test_the_model_says_where_a_text_ends_or_else_the_tokenizer(
    tiny_gpt2: Any, tokenizer: Any
) -> None:
    (found,) = continue_ids(tiny_gpt2, tokenizer, TEXTS[:1], temperature=0.0, **HOW)
    tiny_gpt2.generation_config = GenerationConfig(eos_token_id=[found[2], 299])
    (ended,) = continue_ids(tiny_gpt2, tokenizer, TEXTS[:1], temperature=0.0, **HOW)
    assert ended == found[: found.index(found[2]) + 1]
    tiny_gpt2.generation_config = GenerationConfig()
    with plain_decoding(tiny_gpt2, tokenizer):
        assert tiny_gpt2.generation_config.eos_token_id == [tokenizer.eos_token_id]
    with pytest.raises(RuntimeError), plain_decoding(tiny_gpt2, tokenizer):
        raise RuntimeError
    assert tiny_gpt2.generation_config.eos_token_id is None


def test_what_is_ignored_is_named(tiny_gpt2: Any) -> None:
    assert ignored_settings(tiny_gpt2) == {}
    tiny_gpt2.generation_config = GenerationConfig(
        eos_token_id=0, repetition_penalty=1.1, suppress_tokens=[3, 4], num_beams=1
    )
    assert ignored_settings(tiny_gpt2) == {"repetition_penalty": 1.1, "suppress_tokens": [3, 4]}
