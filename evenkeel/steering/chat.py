"""Prompts as chat models are given them."""

from typing import Any

from jinja2 import TemplateError

from evenkeel.errors import BadInputError


def encode_message(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of a user's message in the tokenizer's chat template, the answer to follow.

    Raises:
        BadInputError: the tokenizer has no template, or it takes no user's message.
    """
    if not tokenizer.chat_template:
        raise BadInputError(
            "this model's tokenizer has no chat template, so it is no chat model's; "
            "set chat_template to false"
        )
    message = [{"role": "user", "content": text}]
    try:
        ids = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_dict=False)
    except (TemplateError, ValueError) as error:
        raise BadInputError(
            f"the tokenizer's chat template takes no lone message of a user: {error}"
        ) from error
    return tuple(ids)
