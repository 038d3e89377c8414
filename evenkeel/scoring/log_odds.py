"""The log-odds of a prompt: log P(female continuations) - log P(male continuations)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from torch import nn

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.models.encoding import TextEncoder, Tokens
from evenkeel.scoring.token_reads import Reads, check_fits, read_batches, read_log_probs


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt and its continuations as token ids; encoded once, scored many times."""

    context: Tokens
    female: tuple[Tokens, ...]
    male: tuple[Tokens, ...]


def encode_text(tokenizer: Any, text: str) -> Tokens:
    """Token ids of a text, with the special tokens that the tokenizer itself puts before it."""
    return TextEncoder.of(tokenizer).encode(text)


def encode_prompt(tokenizer: Any, prompt: Prompt) -> EncodedPrompt:
    """Encode a prompt that has continuations on both sides.

    Raises:
        BadInputError: a side has no continuation, names one twice, or one of them is empty.
    """
    return encoded_prompt(
        tokenizer,
        prompt.text,
        encode_text(tokenizer, prompt.text),
        {"female": prompt.female, "male": prompt.male},
        f"prompt {prompt.id}",
    )


def encoded_prompt(
    tokenizer: Any,
    text: str,
    context: Tokens,
    sides: Mapping[str, Sequence[str]],
    where: str,
) -> EncodedPrompt:
    """Encode the continuations of a text, those of the first side and those of the second.

    Args:
        tokenizer: of the model.
        text: what is continued.
        context: its token ids.
        sides: two names, each with the continuations of that side.
        where: the prompt's name, for messages.

    Raises:
        BadInputError: as of `encode_prompt`.
    """
    if not context:
        raise BadInputError(f"{where}: no tokens to condition on; give it some text")
    found = []
    for side, words in sides.items():
        encoded = tuple(encode_continuation(tokenizer, text, context, word) for word in words)
        if not encoded or not all(encoded) or len(set(encoded)) < len(encoded):
            raise BadInputError(
                f"{where}: {side} continuations {list(words)} are empty or repeated; "
                "give at least one, each once"
            )
        found.append(encoded)
    return EncodedPrompt(context, *found)


def encode_continuation(tokenizer: Any, text: str, context: Tokens, word: str) -> Tokens:
    """Ids that `word` adds to `text`.

    Encoded in place where that leaves the context's ids as they are: SentencePiece tokenizers give
    a word alone a second leading space. Otherwise (the two merge) encoded alone.
    """
    whole = encode_text(tokenizer, text + word)
    if whole[: len(context)] == context:
        return whole[len(context) :]
    return TextEncoder.of(tokenizer).plain(word)


@dataclass(frozen=True, eq=False)
class LogOddsReads:
    """The tokens whose probabilities make up the log-odds of prompts.

    P of a side is the sum of the probabilities of its continuations, and that of a continuation of
    several tokens is the product over its tokens, so that sides of unequal number and length are
    treated exactly. Continuations of one token share one row.
    """

    rows: list[Tokens]
    reads: Reads
    continuation: Int[ndarray, " reads"]
    """Which continuation a read belongs to."""
    prompt: Int[ndarray, " continuations"]
    side: Int[ndarray, " continuations"]
    """0 female, 1 male."""

    @classmethod
    def of(cls, prompts: Sequence[EncodedPrompt]) -> "LogOddsReads":
        rows: dict[Tokens, int] = {}
        reads: list[tuple[int, int, int, int]] = []  # row, position, token, continuation
        sides: list[tuple[int, int]] = []
        for index, prompt in enumerate(prompts):
            for side, continuations in enumerate((prompt.female, prompt.male)):
                for tokens in continuations:
                    row = rows.setdefault(prompt.context + tokens[:-1], len(rows))
                    for offset, token in enumerate(tokens):
                        reads.append((row, len(prompt.context) + offset, token, len(sides)))
                    sides.append((index, side))
        row_of, position, token_of, continuation = np.array(reads, np.int64).reshape(-1, 4).T
        prompt_of, side_of = np.array(sides, np.int64).reshape(-1, 2).T
        found = Reads(row_of, position, token_of)
        return cls(list(rows), found, continuation, prompt_of, side_of)

    def log_odds(self, token_log_probs: Float[ndarray, " reads"]) -> Float[ndarray, " prompts"]:
        """log P(female continuations) - log P(male continuations) of each prompt, in nats."""
        sequences = np.bincount(self.continuation, weights=token_log_probs)
        prompts = int(self.prompt.max(initial=-1)) + 1
        sides = np.full((prompts, 2), -np.inf)
        np.logaddexp.at(sides, (self.prompt, self.side), sequences)
        return sides[:, 0] - sides[:, 1]


def log_odds(
    model: nn.Module, prompts: Sequence[EncodedPrompt], batch_size: int
) -> Float[ndarray, " prompts"]:
    """Log-odds of each prompt, in nats, from a model that may be steered.

    Raises:
        BadInputError: a prompt is longer than the model's context.
    """
    asked = LogOddsReads.of(prompts)
    check_fits(model, asked.rows)
    batches = read_batches(asked.rows, asked.reads, batch_size)
    return asked.log_odds(read_log_probs(model, batches))
