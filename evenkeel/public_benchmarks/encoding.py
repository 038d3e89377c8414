"""Texts as tokens to be scored: what stands before, and from where on probabilities count."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.models.batching import context_length
from evenkeel.models.chat import render_message
from evenkeel.models.encoding import TextEncoder, Tokens
from evenkeel.models.loading import LoadedModel
from evenkeel.scoring.group_reads import encode_continuation

LEAD_IN = "It was a calm morning. "
"""Neutral sentence before every item, by the rules that are called so. It is a lead-in of the data
set's test split: nothing was fitted on it."""


@dataclass(frozen=True)
class Scored:
    """Tokens of which those from `start` on are scored, each given all before it."""

    tokens: Tokens
    start: int
    """At least 1: a causal model gives the first token no probability."""


@dataclass(frozen=True)
class Encoder:
    """A model's tokenizer, as benchmarks use it."""

    tokenizer: Any
    limit: int | None
    """Tokens that the model can look at; None where it does not say."""
    prefix: str = ""
    """Stands before whatever a continuation is asked of, its last space included; a condition's."""

    @classmethod
    def of(cls, loaded: LoadedModel, prefix: str = "") -> "Encoder":
        return cls(loaded.tokenizer, context_length(loaded.model), prefix)

    @cached_property
    def bos(self) -> int | None:
        """The token before a text: BOS, or else end-of-text, as GPT-2 was trained; or none."""
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        return eos if bos is None else bos

    @property
    def front(self) -> Tokens:
        """What the model needs before a text: what its tokenizer puts there."""
        return self._texts.added.front

    @cached_property
    def _texts(self) -> TextEncoder:
        return TextEncoder.of(self.tokenizer)

    def begun(self, text: str) -> Tokens:
        """Token ids of the text after `front`."""
        return self._texts.encode(text)

    def plain(self, text: str) -> Tokens:
        """Token ids of the text alone, without special tokens."""
        return self._texts.plain(text)

    def continuation(self, text: str, word: str) -> Scored:
        """What `word` adds to `text`, which begins as the tokenizer itself begins a text."""
        text = self.prefix + text
        context = self.begun(text)
        added = encode_continuation(self.tokenizer, text, context, word)
        return Scored(context + added, len(context))

    def message(self, text: str) -> Tokens:
        """Token ids of a user's message in the chat template, the answer to follow."""
        return self._texts.message(text)

    def answers(self, text: str, begun: str, words: Sequence[str]) -> list[Scored]:
        """What each of `words` adds to an answer to a message in the chat template.

        Args:
            text: the user's message.
            begun: beginning of the answer; it is read and not scored.
            words: ways in which the answer may go on.
        """
        rendered = render_message(self.tokenizer, text) + begun
        context = self.plain(rendered)
        added = [encode_continuation(self.tokenizer, rendered, context, word) for word in words]
        return [Scored(context + each, len(context)) for each in added]

    def after(self, text: str, sentence: str) -> Scored:
        """A sentence after another one, a space between them."""
        return self.continuation(text.rstrip(), f" {sentence}")

    def fitting(self, lengths: Sequence[int], what: str) -> list[int]:
        """Indices of the items that the model's context is long enough for.

        Args:
            lengths: tokens that the model has to look at for each item.
            what: names the items in the message.

        Raises:
            BadInputError: there is none.
        """
        found = [
            index
            for index, length in enumerate(lengths)
            if self.limit is None or length <= self.limit
        ]
        if not found:
            raise BadInputError(f"{what}: no item fits the model's context of {self.limit} tokens")
        return found


def longest(asked: Sequence[Scored]) -> int:
    """Tokens that a model has to look at to score the longest."""
    return max(len(each.tokens) - 1 for each in asked)
