"""Prompts as chat models are given them."""

from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.models.chat_templates import render_chat


def encode_message(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of a user's message in the tokenizer's chat template, the answer to follow.

    Raises:
        BadInputError: the tokenizer has no template, or it takes no user's message, does not end or
            makes too long a text.
    """
    if not tokenizer.chat_template:
        raise BadInputError(
            "this model's tokenizer has no chat template, so it is no chat model's; "
            "set chat_template to false"
        )
    rendered = render_chat(tokenizer, [{"role": "user", "content": text}])
    return tuple(tokenizer(rendered, add_special_tokens=False)["input_ids"])
