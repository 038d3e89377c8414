"""Prompts as chat models are given them: the tokenizer's chat template, with its clock stopped."""

from datetime import datetime
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.models.chat_templates import render_chat

CHAT_DATE = datetime(2024, 7, 26)
"""What a chat template that prints the date is told, so that a prompt is the same on every day: the
date that Llama's own templates fall back on."""


def render_message(tokenizer: Any, text: str, *, now: datetime = CHAT_DATE) -> str:
    """A user's message in the tokenizer's chat template, the answer to follow.

    Args:
        tokenizer: of a chat model.
        text: the message.
        now: what the template's `strftime_now` says.

    Raises:
        BadInputError: the tokenizer has no template, or it takes no user's message, does not end or
            makes too long a text.
    """
    if not tokenizer.chat_template:
        raise BadInputError(
            "this model's tokenizer has no chat template, so it is no chat model's; "
            "set chat_template to false"
        )
    return render_chat(tokenizer, [{"role": "user", "content": text}], now=now)


def takes_a_message(tokenizer: Any) -> bool:
    """Whether there is a chat template, and a user's message alone can be put into it.

    Some want a system's message first, or more variables than messages.
    """
    if not getattr(tokenizer, "chat_template", None):
        return False
    try:
        return bool(render_message(tokenizer, "x"))
    except BadInputError:
        return False


def prints_the_date(tokenizer: Any) -> bool:
    """Whether a message looks different at another time; False without a template that takes one.

    Both times differ in everything that a template can print of them. A template that does not ask
    for the time is not run.
    """
    template = getattr(tokenizer, "chat_template", None)
    if not template or "strftime_now" not in str(template):
        return False
    times = (datetime(1999, 1, 2, 3, 4, 5), datetime(2031, 12, 28, 17, 56, 47))
    try:
        one, other = (render_message(tokenizer, "x", now=time) for time in times)
    except BadInputError:
        return False
    return one != other
