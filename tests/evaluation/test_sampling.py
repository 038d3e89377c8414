"""How prompts are put: as a user's message, and without what the text holds already."""

from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.models.encoding import TextEncoder
from evenkeel.steering.continuations import continue_texts
from evenkeel.steering.frequency_penalty import FrequencyPenalty

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


def test_each_occurrence_costs_the_penalty_and_padding_nothing() -> None:
    ids = torch.tensor([[0, 0, 3, 3, 5], [2, 3, 4, 5, 6]])
    scores = torch.randn(2, 8)
    expected = scores.clone()
    expected[0, 3] -= 2 * 0.5
    expected[0, 5] -= 0.5
    expected[1, 2:7] -= 0.5
    torch.testing.assert_close(FrequencyPenalty(0.5, pad=0)(ids, scores), expected)


def test_a_penalty_keeps_a_model_from_repeating_itself(tiny_gpt2: Any, tokenizer: Any) -> None:
    how = {"max_new_tokens": 30, "temperature": 0.0, "top_p": 1.0, "batch_size": 4, "seed": 0}
    (plain,) = continue_texts(tiny_gpt2, tokenizer, ["The nurse"], **how)
    (shy,) = continue_texts(tiny_gpt2, tokenizer, ["The nurse"], **how, frequency_penalty=1e4)
    repeats = [len(ids) - len(set(ids)) for ids in (tokenizer(t).input_ids for t in (plain, shy))]
    assert repeats[0] > repeats[1]


def test_a_message_is_what_the_template_makes_of_it(tiny_gpt2: Any, tokenizer: Any) -> None:
    with pytest.raises(BadInputError, match="no chat template"):
        TextEncoder.of(tokenizer).message("Hello")
    tokenizer.chat_template = TEMPLATE
    try:
        ids = TextEncoder.of(tokenizer).message("Hello")
        # No second BOS before the template's own.
        assert tokenizer.decode(ids) == "<|endoftext|>[user]Hello[assistant]"
        how = {"max_new_tokens": 5, "temperature": 0.0, "top_p": 1.0, "batch_size": 4, "seed": 0}
        asked = continue_texts(tiny_gpt2, tokenizer, ["Hello"], **how, chat=True)
        whole = tokenizer.decode(ids)
        assert asked == continue_texts(tiny_gpt2, tokenizer, [whole], **how)
        tokenizer.chat_template = "{{ raise_exception('system first') }}"
        with pytest.raises(BadInputError, match=r"cannot render these messages: .*system first"):
            TextEncoder.of(tokenizer).message("Hello")
    finally:
        tokenizer.chat_template = None
