"""The log-probability of each group of an axis after a prompt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.models.encoding import TextEncoder, Tokens
from evenkeel.scoring.token_reads import Reads, check_fits, read_batches, read_log_probs


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as token ids, group by group; encoded once, scored many times."""

    contexts: tuple[Tokens, ...]
    """What is read before the continuations of each group; the same where the item is given."""
    continuations: tuple[tuple[Tokens, ...], ...]
    """The alternatives of each group."""


Encode = Callable[[Any, str], Tokens]
"""From a tokenizer and a text to what is read before a continuation."""


def encode_text(tokenizer: Any, text: str) -> Tokens:
    """Token ids of a text, with the special tokens that the tokenizer itself puts before it."""
    return TextEncoder.of(tokenizer).encode(text)


def encode_rendered(tokenizer: Any, text: str) -> Tokens:
    """Token ids of what a chat template has rendered, which brings its special tokens along."""
    return TextEncoder.of(tokenizer).plain(text)


def encode_prompt(
    tokenizer: Any, prompt: Prompt, prefix: str = "", encode: Encode = encode_text
) -> EncodedPrompt:
    """Encode a prompt that has continuations.

    Args:
        tokenizer: of the model.
        prompt: what is asked.
        prefix: put before it, its last space included.
        encode: of what stands before the continuations.

    Raises:
        BadInputError: a group has no continuation, names one twice, or one of them is empty; or
            there is no token to condition on.
    """
    texts = {group: prefix + prompt.context(group) for group in prompt.groups}
    return encode_groups(tokenizer, texts, prompt.continuations, f"prompt {prompt.id}", encode)


def encode_groups(
    tokenizer: Any,
    texts: Mapping[str, str],
    continuations: Mapping[str, Sequence[str]],
    where: str,
    encode: Encode = encode_text,
) -> EncodedPrompt:
    """Encode the continuations of each group after the text of that group.

    Args:
        tokenizer: of the model.
        texts: what is continued, by group.
        continuations: alternatives, by group.
        where: the prompt's name, for messages.
        encode: of the texts.

    Raises:
        BadInputError: as of `encode_prompt`.
    """
    contexts = {text: encode(tokenizer, text) for text in texts.values()}
    if not all(contexts.values()):
        raise BadInputError(f"{where}: no tokens to condition on; give it some text")
    encoded = []
    for group, words in continuations.items():
        text = texts[group]
        tokens = tuple(encode_continuation(tokenizer, text, contexts[text], word) for word in words)
        if not tokens or not all(tokens) or len(set(tokens)) < len(tokens):
            raise BadInputError(
                f"{where}: continuations {list(words)} of {group} are empty or repeated; "
                "give at least one, each once"
            )
        encoded.append(tokens)
    return EncodedPrompt(tuple(contexts[texts[group]] for group in continuations), tuple(encoded))


def encode_continuation(tokenizer: Any, text: str, context: Tokens, word: str) -> Tokens:
    """Ids that `word` adds to `text`.

    Encoded in place where that leaves the context's ids as they are: SentencePiece tokenizers give
    a word alone a leading space of its own. Otherwise (the two merge) encoded alone.

    Args:
        tokenizer: of the model.
        text: what is continued.
        context: its ids, from `encode_text` or `encode_rendered`.
        word: what follows.
    """
    for encode in (encode_text, encode_rendered):
        whole = encode(tokenizer, text + word)
        if whole[: len(context)] == context:
            return whole[len(context) :]
    return TextEncoder.of(tokenizer).plain(word)


@dataclass(frozen=True, eq=False)
class GroupReads:
    """The tokens whose probabilities make up the scores of prompts with equally many groups.

    P of a group is the sum of the probabilities of its continuations, and that of a continuation of
    several tokens is the product over its tokens, so that groups of unequal number and length are
    treated exactly. Continuations of one token share one row.
    """

    rows: list[Tokens]
    reads: Reads
    continuation: Int[ndarray, " reads"]
    """Which continuation a read belongs to."""
    cell: Int[ndarray, " continuations"]
    """Which prompt and group a continuation belongs to: prompt x groups + group."""
    shape: tuple[int, int]
    """Prompts, groups."""

    @classmethod
    def of(cls, prompts: Sequence[EncodedPrompt]) -> "GroupReads":
        rows: dict[Tokens, int] = {}
        reads: list[tuple[int, int, int, int]] = []  # row, position, token, continuation
        cells: list[int] = []
        groups = len(prompts[0].contexts) if prompts else 0
        for index, prompt in enumerate(prompts):
            assert len(prompt.contexts) == groups, "prompts of different axes"
            for group in range(groups):
                context = prompt.contexts[group]
                for tokens in prompt.continuations[group]:
                    row = rows.setdefault(context + tokens[:-1], len(rows))
                    for offset, token in enumerate(tokens):
                        reads.append((row, len(context) + offset, token, len(cells)))
                    cells.append(index * groups + group)
        row_of, position, token_of, continuation = np.array(reads, np.int64).reshape(-1, 4).T
        return cls(
            list(rows),
            Reads(row_of, position, token_of),
            continuation,
            np.array(cells, np.int64),
            (len(prompts), groups),
        )

    def log_probs(
        self, token_log_probs: Float[ndarray, " reads"]
    ) -> Float[ndarray, "prompts groups"]:
        """Natural log of the summed probability of each group's continuations."""
        sequences = np.bincount(
            self.continuation, weights=token_log_probs, minlength=len(self.cell)
        )
        flat = np.full(self.shape[0] * self.shape[1], -np.inf)
        np.logaddexp.at(flat, self.cell, sequences)
        return flat.reshape(self.shape)

    def scores(self, of_reads: Float[Tensor, " reads"]) -> Float[Tensor, "prompts groups"]:
        """`log_probs` less their mean over the groups, through which gradients flow."""
        of_groups = self.of_groups(of_reads)
        return of_groups - of_groups.mean(dim=1, keepdim=True)

    def of_groups(self, of_reads: Float[Tensor, " reads"]) -> Float[Tensor, "prompts groups"]:
        """`log_probs`, through which gradients flow."""
        continuation = torch.from_numpy(self.continuation).to(of_reads.device)
        cell = torch.from_numpy(self.cell).to(of_reads.device)
        sequences = of_reads.new_zeros(len(cell)).index_add(0, continuation, of_reads)
        cells = self.shape[0] * self.shape[1]
        most = sequences.detach().new_full((cells,), -torch.inf)
        most = most.scatter_reduce(0, cell, sequences.detach(), "amax")
        summed = of_reads.new_zeros(cells).index_add(0, cell, (sequences - most[cell]).exp())
        return (summed.log() + most).view(self.shape)

    @cached_property
    def lengths(self) -> Float[ndarray, "prompts groups"]:
        """Tokens of a group's continuations, on average."""
        tokens = np.bincount(self.continuation, minlength=len(self.cell))
        cells = self.shape[0] * self.shape[1]
        summed = np.bincount(self.cell, weights=tokens, minlength=cells)
        return (summed / np.bincount(self.cell, minlength=cells)).reshape(self.shape)


def group_log_probs(
    model: nn.Module, prompts: Sequence[EncodedPrompt], batch_size: int
) -> Float[ndarray, "prompts groups"]:
    """Log-probability of each group after each prompt, in nats; the model may be steered.

    Raises:
        BadInputError: a prompt is longer than the model's context.
    """
    group_reads = GroupReads.of(prompts)
    check_fits(model, group_reads.rows)
    batches = read_batches(group_reads.rows, group_reads.reads, batch_size)
    return group_reads.log_probs(read_log_probs(model, batches))
