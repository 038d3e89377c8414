"""Chat templates give what transformers gives; those that never end or never fit are ended."""

import time
from typing import Any

import pytest

from evenkeel.errors import BadInputError
from evenkeel.models import chat_templates
from evenkeel.models.chat import render_message
from evenkeel.models.encoding import TextEncoder

CHAT = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
LOOP = "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}"


@pytest.fixture
def chat(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tokenizer, "chat_template", CHAT)
    return tokenizer


@pytest.mark.parametrize("text", ["Who is a nurse?", " ünï ☕\n{{ 7 * 7 }}", ""])
def test_a_template_gives_what_transformers_gives(chat: Any, text: str) -> None:
    message = [{"role": "user", "content": text}]
    ids = chat.apply_chat_template(message, add_generation_prompt=True, return_dict=False)
    assert TextEncoder.of(chat).message(text) == tuple(ids)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (LOOP, "does not end within 1 s"),
        ("{% for i in range(99999999) %}a{% endfor %}", "OverflowError: Range too big"),
        ("{% include 'a' %}", "no loader for this environment"),
        ("{{ 'a' * 10**9 }}", "more than 512 MB|too much memory"),
        ("{{ 'a' * 10**7 }}", "a text of 10000000 characters, over"),
        ("{{ '%900000000d' % 1 }}", "more than 512 MB|too much memory"),
        ("{{ 9 ** (9 ** 9) }}", "does not end within 1 s|memory"),
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{% for", "TemplateSyntaxError"),
        ("{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}", "RecursionError"),
        ("{{ 'a' | center(1000000000) }}", "more than 512 MB|too much memory"),
        ("{{ " + "(" * 30_000 + "1" + ")" * 30_000 + " }}", "RecursionError|too much memory"),
        ("{{ '\\ud800' }}", "half a surrogate pair"),
        ({"other": "x"}, "cannot be used: .*no default"),
        (7, "is a int, no text"),
        ("{#" + "a" * 2_000_000 + "#}", "2000004 characters long"),
    ],
)
def test_a_template_bomb_is_one_message_in_bounded_time(
    chat: Any, template: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_templates, "SECONDS", 1.0)
    render_message(chat, "a")  # start the worker outside the clock
    monkeypatch.setattr(chat, "chat_template", template)
    started = time.monotonic()
    with pytest.raises(BadInputError, match=reason):
        TextEncoder.of(chat).message("Who is a nurse?")
    assert time.monotonic() - started < 30
    monkeypatch.setattr(chat_templates, "SECONDS", 10.0)
    monkeypatch.setattr(chat, "chat_template", CHAT)
    assert render_message(chat, "b").endswith("<user>b<assistant>")


def test_a_tokenizer_without_a_template_is_no_chat_models(tokenizer: Any) -> None:
    with pytest.raises(BadInputError, match="has no chat template"):
        TextEncoder.of(tokenizer).message("Who is a nurse?")
