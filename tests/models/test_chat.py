"""A chat prompt is the same on every day."""

from copy import deepcopy
from datetime import datetime
from typing import Any

import pytest

from evenkeel.errors import BadInputError
from evenkeel.models.chat import CHAT_DATE, prints_the_date, render_message, takes_a_message
from evenkeel.models.encoding import TextEncoder

PLAIN = "[user]{{ messages[0]['content'] }}[assistant]"
DATED = (
    "Today is {{ strftime_now('%d %b %Y') }}. " + PLAIN,
    "{% if strftime_now is defined %}{% set d = strftime_now('%H:%M:%S') %}{{ d }}{% endif %}"
    + PLAIN,
    "{% set now = strftime_now %}{{ now('%A') }} " + PLAIN,
)


def chatting(tokenizer: Any, template: str | None) -> Any:
    copied = deepcopy(tokenizer)
    copied.chat_template = template
    return copied


@pytest.mark.parametrize("template", DATED)
def test_a_template_is_told_one_date(tokenizer: Any, template: str) -> None:
    dated = chatting(tokenizer, template)
    encoder = TextEncoder.of(dated)
    ids = encoder.message("Hello")

    text = render_message(dated, "Hello")
    now = datetime.now()
    for shape in ("%d %b %Y", "%A", "%H:%M"):  # nothing of today's
        assert f"{now:{shape}}" not in text or f"{CHAT_DATE:{shape}}" == f"{now:{shape}}"
    assert any(f"{CHAT_DATE:{shape}}" in text for shape in ("%d %b %Y", "%A", "%H:%M:%S"))
    assert dated.decode(ids) == text
    assert encoder.message("Hello") == ids
    assert prints_the_date(dated)
    assert encoder.describe()["chat_date"] == f"{CHAT_DATE:%Y-%m-%d}"


def test_other_templates_have_no_date(tokenizer: Any) -> None:
    assert not prints_the_date(chatting(tokenizer, PLAIN))
    assert not prints_the_date(chatting(tokenizer, None))
    assert not prints_the_date(chatting(tokenizer, "{{ raise_exception('system first') }}"))
    assert TextEncoder.of(chatting(tokenizer, PLAIN)).describe()["chat_date"] is None


REFUSING = (
    "{{ raise_exception('system first') }}",
    "{% if messages[0]['role'] != 'system' %}{{ raise_exception('no system') }}{% endif %}x",
    "{{ messages[1]['content'] }}",
    "{{ 1 // 0 }}",
    "{% broken",
    "{% for m in messages if m['role'] == 'system' %}{{ m['content'] }}{% endfor %}",
)


@pytest.mark.parametrize("template", REFUSING)
def test_whether_a_lone_message_is_taken_is_known_before_it_is_sent(
    tokenizer: Any, template: str
) -> None:
    assert not takes_a_message(chatting(tokenizer, template))
    assert not takes_a_message(chatting(tokenizer, None))
    assert all(takes_a_message(chatting(tokenizer, taking)) for taking in (PLAIN, *DATED))


def test_a_template_that_takes_no_message_says_so(tokenizer: Any) -> None:
    with pytest.raises(BadInputError, match="no chat template"):
        TextEncoder.of(tokenizer).message("Hello")
    with pytest.raises(BadInputError, match=r"cannot render these messages: .*system first"):
        TextEncoder.of(chatting(tokenizer, "{{ raise_exception('system first') }}")).message("Hi")
