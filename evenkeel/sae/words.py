"""The text of single tokens."""

from collections.abc import Iterable
from typing import Any


def token_texts(tokenizer: Any, ids: Iterable[int]) -> dict[int, str]:
    """The text that each token id stands for, leading space included.

    A token that is a part of a character becomes U+FFFD.
    """
    distinct = sorted(set(ids))
    pieces = tokenizer.convert_ids_to_tokens(distinct)
    return {
        # Decoding a single SentencePiece token would lose its leading space.
        token: piece.replace("▁", " ") if "▁" in piece else tokenizer.decode([token])
        for token, piece in zip(distinct, pieces, strict=True)
    }
