"""Tokenizers that put special tokens around texts."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

Framing = Callable[[str], Any]


@pytest.fixture
def framing(tokenizer: Any) -> Framing:
    """A function from a template, such as "<bos> $A <eos>", to a tokenizer that follows it."""

    def frame(template: str) -> Any:
        from tokenizers import processors

        framed = deepcopy(tokenizer)
        framed.add_special_tokens({"bos_token": "<bos>", "eos_token": "<eos>"})
        framed.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=template,
            special_tokens=[
                (token, framed.convert_tokens_to_ids(token)) for token in ("<bos>", "<eos>")
            ],
        )
        return framed

    return frame
