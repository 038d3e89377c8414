from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.models.encoding import TextEncoder
from evenkeel.serving.text import TextStream


def streamed(encoder: TextEncoder, ids: list[int], stops: list[str]) -> tuple[list[str], bool]:
    stream = TextStream(encoder, stops)
    parts = []
    for token in ids:
        parts.append(stream.add(token))
        if stream.stopped:
            break
    return [*parts, stream.end()], stream.stopped


@pytest.mark.parametrize("text", ["Grüße, 世界 🎉!", "a👩‍👩‍👧b", "The nurse said"])
def test_characters_come_whole(tokenizer: Any, text: str) -> None:
    encoder = TextEncoder.of(tokenizer)
    parts, _ = streamed(encoder, list(encoder.plain(text)), [])
    assert "".join(parts) == text
    assert not any("\ufffd" in part for part in parts)


def test_half_a_character_at_the_end_is_left_out(tokenizer: Any) -> None:
    encoder = TextEncoder.of(tokenizer)
    ids = list(encoder.plain("a🎉"))[:-1]
    assert "".join(streamed(encoder, ids, [])[0]) == "a"


@given(
    text=st.text(alphabet="ab é🎉", max_size=12),
    stop=st.text(alphabet="ab é🎉", min_size=1, max_size=3),
)
@settings(max_examples=100)
def test_the_text_ends_before_the_first_stop(tokenizer: Any, text: str, stop: str) -> None:
    encoder = TextEncoder.of(tokenizer)
    parts, stopped = streamed(encoder, list(encoder.plain(text)), [stop])
    assert "".join(parts) == text.partition(stop)[0]
    assert stopped == (stop in text)
