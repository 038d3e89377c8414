"""Prompts as chat models are given them: the tokenizer's chat template, with its clock stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any

from jinja2 import TemplateError

from evenkeel.errors import BadInputError

CHAT_DATE = datetime(2024, 7, 26)
"""What a chat template that prints the date is told, so that a prompt is the same on every day: the
date that Llama's own templates fall back on."""


def render_message(tokenizer: Any, text: str, *, tokenize: bool, now: datetime = CHAT_DATE) -> Any:
    """A user's message in the tokenizer's chat template, the answer to follow.

    Args:
        tokenizer: of a chat model.
        text: the message.
        tokenize: return token ids, not text.
        now: what the template's `strftime_now` says.

    Raises:
        BadInputError: the tokenizer has no template, or it takes no user's message.
    """
    if not tokenizer.chat_template:
        raise BadInputError(
            "this model's tokenizer has no chat template, so it is no chat model's; "
            "set chat_template to false"
        )
    try:
        with _stopped_clock(now):
            return tokenizer.apply_chat_template(
                [{"role": "user", "content": text}],
                add_generation_prompt=True,
                tokenize=tokenize,
                return_dict=False,
            )
    except (TemplateError, ValueError) as error:
        raise BadInputError(
            f"the tokenizer's chat template takes no lone message of a user: {error}"
        ) from error


@contextmanager
def _stopped_clock(now: datetime) -> Iterator[None]:
    """Let templates' `strftime_now` tell `now`: it asks the class that its module knows."""
    from transformers.utils import chat_template_utils

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Stopped":
            return cls.fromisoformat(now.isoformat())

    ticking = chat_template_utils.datetime
    chat_template_utils.datetime = Stopped
    try:
        yield
    finally:
        chat_template_utils.datetime = ticking


def prints_the_date(tokenizer: Any) -> bool:
    """Whether a message looks different at another time; False without a template that takes one.

    Both times differ in everything that a template can print of them.
    """
    if not getattr(tokenizer, "chat_template", None):
        return False
    times = (datetime(1999, 1, 2, 3, 4, 5), datetime(2031, 12, 28, 17, 56, 47))
    try:
        one, other = (render_message(tokenizer, "x", tokenize=False, now=time) for time in times)
    except BadInputError:
        return False
    return bool(one != other)
