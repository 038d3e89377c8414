"""The log-odds of a prompt: log P(female continuations) - log P(male continuations)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import nn

from evenkeel.errors import BadInputError
from evenkeel.evaluation.token_reads import Reads, read_log_probs
from evenkeel.synthesis.records import Prompt

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt and its continuations as token ids; encoded once, scored many times."""

    context: Tokens
    female: tuple[Tokens, ...]
    male: tuple[Tokens, ...]


def encode_text(tokenizer: Any, text: str) -> Tokens:
    """Token ids of a text, with the special tokens that the tokenizer itself puts before it."""
    return tuple(tokenizer(text)["input_ids"])


def encode_prompt(tokenizer: Any, prompt: Prompt) -> EncodedPrompt:
    """Encode a prompt that has continuations on both sides.

    Raises:
        BadInputError: a side has no continuation, names one twice, or one of them is empty.
    """
    context = encode_text(tokenizer, prompt.text)
    if not context:
        raise BadInputError(f"prompt {prompt.id}: no tokens to condition on; give it some text")
    sides = []
    for side, words in (("female", prompt.female), ("male", prompt.male)):
        encoded = tuple(_continuation(tokenizer, prompt.text, context, word) for word in words)
        if not encoded or not all(encoded) or len(set(encoded)) < len(encoded):
            raise BadInputError(
                f"prompt {prompt.id}: {side} continuations {list(words)} are empty or repeated; "
                "give at least one, each once"
            )
        sides.append(encoded)
    return EncodedPrompt(context, sides[0], sides[1])


def _continuation(tokenizer: Any, text: str, context: Tokens, word: str) -> Tokens:
    """Ids that `word` adds to `text`.

    Encoded in place where that leaves the context's ids as they are: SentencePiece tokenizers give
    a word alone a second leading space. Otherwise (the two merge) encoded alone.
    """
    whole = encode_text(tokenizer, text + word)
    if whole[: len(context)] == context:
        return whole[len(context) :]
    return tuple(tokenizer(word, add_special_tokens=False)["input_ids"])


def log_odds(
    model: nn.Module, prompts: Sequence[EncodedPrompt], batch_size: int
) -> Float[ndarray, " prompts"]:
    """log P(female continuations) - log P(male continuations) of each prompt, in nats.

    P of a side is the sum of the probabilities of its continuations, and that of a continuation of
    several tokens is the product over its tokens, so that sides of unequal number and length are
    treated exactly. Continuations of one token share one row of the batch.

    Args:
        model: a causal language model, steered or not.
        prompts: encoded prompts.
        batch_size: rows in a forward pass.
    """
    rows: dict[Tokens, int] = {}
    reads: list[tuple[int, int, int, int]] = []  # row, position, token, continuation
    sides: list[tuple[int, int]] = []  # prompt, 0 female or 1 male; one entry a continuation
    for index, prompt in enumerate(prompts):
        for side, continuations in enumerate((prompt.female, prompt.male)):
            for tokens in continuations:
                row = rows.setdefault(prompt.context + tokens[:-1], len(rows))
                for offset, token in enumerate(tokens):
                    reads.append((row, len(prompt.context) + offset, token, len(sides)))
                sides.append((index, side))
    if not sides:
        return np.empty(0)
    row, position, token, continuation = np.array(reads, dtype=np.int64).T
    token_log_probs = read_log_probs(model, list(rows), Reads(row, position, token), batch_size)
    sequence_log_probs = np.bincount(continuation, weights=token_log_probs)
    side_log_probs = np.full((len(prompts), 2), -np.inf)
    np.logaddexp.at(side_log_probs, tuple(np.array(sides).T), sequence_log_probs)
    return side_log_probs[:, 0] - side_log_probs[:, 1]
