"""The prompts and texts of one split of an axis, encoded once, and a model's scores on them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from torch import nn

from evenkeel.datasets.records import Direction, Prompt
from evenkeel.errors import BadInputError
from evenkeel.models.batching import context_length
from evenkeel.models.encoding import Tokens, added_tokens
from evenkeel.scoring.group_reads import (
    Encode,
    EncodedPrompt,
    GroupReads,
    encode_prompt,
    encode_rendered,
    encode_text,
)
from evenkeel.scoring.token_reads import (
    ReadBatch,
    Reads,
    check_fits,
    read_batches,
    read_log_probs,
    text_reads,
)


@dataclass(frozen=True)
class Readings:
    """What one model, steered or not, gives for a prompt set."""

    stereotypical: Float[ndarray, "prompts groups"]
    """Natural log-probability of each group after each stereotypical prompt."""
    definitional: Float[ndarray, "definitional_prompts groups"]
    losses: Float[ndarray, " texts"]
    """Negative log-likelihood of each text, in nats."""

    def moved_to(self, other: Self, share: float) -> Self:
        """Each number that share of the way to another model's; over 1 is beyond it."""
        return replace(
            self,
            **{
                field.name: (1 - share) * getattr(self, field.name)
                + share * getattr(other, field.name)
                for field in fields(self)
            },
        )


@dataclass(frozen=True)
class PromptSet:
    """What a model reads: stereotypical and definitional prompts of one axis, and plain texts."""

    groups: tuple[str, ...]
    stereotypical: tuple[Prompt, ...]
    definitional: tuple[Prompt, ...]
    texts: tuple[Tokens, ...]
    """As token ids, with the prefix before them."""
    unscored: tuple[int, ...]
    """Tokens at the beginning of each text whose probability is not read: the prefix, and what the
    tokenizer puts in front or, where it puts nothing, the text's own first token."""
    encoded: tuple[EncodedPrompt, ...]
    """The stereotypical prompts and then the definitional ones, as token ids."""

    @classmethod
    def of(
        cls,
        model: nn.Module,
        tokenizer: Any,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        directions: Sequence[Direction] = ("group_given_item",),
        prefix: str = "",
        encode: Encode = encode_text,
    ) -> "PromptSet":
        """Encode the prompts and texts of one split.

        A prefix changes what the model reads and nothing that is scored: the same continuations,
        and the same tokens of the texts.

        Args:
            model: says how many tokens of a text fit; longer texts are cut there.
            tokenizer: of the model.
            prompts: of one split and axis; neutral ones have no scores and are passed over.
            texts: held-out plain texts; none where perplexity is measured elsewhere.
            directions: of the stereotypical prompts to score.
            prefix: put before every prompt and text, its last space included.
            encode: of prompts, the prefix before them.

        Raises:
            BadInputError: no stereotypical prompt, prompts of different groups, texts of which
                none has two tokens, a prompt without continuations, or a prefix that leaves too
                little of the model's context.
        """
        stereotypical = tuple(
            prompt
            for prompt in prompts
            if prompt.kind == "stereotypical" and prompt.direction in directions
        )
        definitional = tuple(prompt for prompt in prompts if prompt.kind == "definitional")
        if not stereotypical:
            raise BadInputError(
                f"no stereotypical prompts of {' or '.join(directions)} in this split and axis; "
                "bias is measured on them, so the prompt file must hold some for every split"
            )
        groups = stereotypical[0].groups
        for prompt in stereotypical + definitional:
            if set(prompt.groups) != set(groups):
                raise BadInputError(
                    f"prompt {prompt.id}: its groups are {list(prompt.groups)}, those of "
                    f"{stereotypical[0].id} {list(groups)}; an axis has the same in every prompt"
                )
        limit = context_length(model)
        encoded_texts = tuple(encode_text(tokenizer, text)[:limit] for text in texts)
        front = added_tokens(tokenizer).front if texts else ()
        first = max(1, len(front))
        scorable = tuple(text for text in encoded_texts if len(text) > first)
        if texts and not scorable:
            raise BadInputError(
                "no held-out text of two tokens or more in this split; perplexity needs some"
            )
        encoded = tuple(
            encode_prompt(tokenizer, _ordered(prompt, groups), prefix, encode)
            for prompt in stereotypical + definitional
        )
        scored = [len(text) - first for text in scorable]
        if prefix:
            scorable = tuple(
                _after(tokenizer, prefix, text, alone[len(front) :], len(alone) - first)
                for text, alone in zip(texts, encoded_texts, strict=True)
                if len(alone) > first
            )
        unscored = tuple(len(text) - own for text, own in zip(scorable, scored, strict=True))
        prompt_set = cls(groups, stereotypical, definitional, scorable, unscored, encoded)
        check_fits(model, [*prompt_set._group_reads.rows, *scorable])
        return prompt_set

    def read(self, model: nn.Module, batch_size: int) -> Readings:
        """Read everything from a model; call it within `steer` to read a steered one."""
        return self.readings(read_log_probs(model, self.batches(batch_size)))

    def batches(self, batch_size: int) -> list[ReadBatch]:
        """The forward passes that all of it takes; one result holds the reads of all."""
        group_reads = self._group_reads
        prompts = read_batches(group_reads.rows, group_reads.reads, batch_size)
        reads = len(group_reads.reads.row)
        return prompts + read_batches(self.texts, self._scored, batch_size, offset=reads)

    def readings(self, token_log_probs: Float[ndarray, " reads"]) -> Readings:
        """What the reads of all batches amount to."""
        of_prompts, of_texts = np.split(token_log_probs, [len(self._group_reads.reads.row)])
        log_probs = self._group_reads.log_probs(of_prompts)
        return Readings(
            stereotypical=log_probs[: len(self.stereotypical)],
            definitional=log_probs[len(self.stereotypical) :],
            losses=np.bincount(self._scored.row, weights=-of_texts, minlength=len(self.texts)),
        )

    @cached_property
    def _group_reads(self) -> GroupReads:
        return GroupReads.of(self.encoded)

    @cached_property
    def _scored(self) -> Reads:
        return text_reads(self.texts, self.unscored)

    @cached_property
    def expected(self) -> Int[ndarray, " definitional_prompts"]:
        """Index of the group that is right, of each definitional prompt."""
        return np.array([self._index(prompt.expected) for prompt in self.definitional], np.int64)

    @cached_property
    def scored_tokens(self) -> Float[ndarray, " texts"]:
        """Tokens of each text whose probability is read."""
        lengths = np.array([len(text) for text in self.texts])
        return (lengths - np.array(self.unscored)).astype(float)

    def reference(self, prompts: Sequence[Prompt]) -> Float[ndarray, "prompts groups"]:
        """Centred log-rates of each prompt; NaN where a rate is unknown or zero."""
        rates = np.array(
            [
                [(prompt.reference or {}).get(group, np.nan) for group in self.groups]
                for prompt in prompts
            ]
        ).reshape(len(prompts), len(self.groups))
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(rates)
        logs[~np.isfinite(logs).all(axis=1)] = np.nan
        return logs - logs.mean(axis=1, keepdims=True)

    def held_against(self, prompts: Sequence[Prompt]) -> Int[ndarray, " prompts"]:
        """Index of the group that each prompt's item is held against; -1 is none."""
        return np.array(
            [-1 if p.held_against is None else self._index(p.held_against) for p in prompts],
            np.int64,
        )

    def _index(self, group: str | None) -> int:
        assert group is not None
        return self.groups.index(group)


def _ordered(prompt: Prompt, groups: Sequence[str]) -> Prompt:
    """The prompt with its continuations in the order of the set's groups."""
    if prompt.groups == tuple(groups):
        return prompt
    ordered = {group: prompt.continuations[group] for group in groups}
    return prompt.model_copy(update={"continuations": ordered})


def _after(tokenizer: Any, prefix: str, text: str, own: Tokens, scored: int) -> Tokens:
    """Token ids of a text after a prefix, of which the last ones are those that are scored alone.

    Encoded in one piece where that leaves these as they are. Otherwise (the first word falls into
    other pieces, or the text brings along what stands in front) encoded apart and joined.

    Args:
        tokenizer: of the model.
        prefix: what is put before.
        text: what it is put before.
        own: token ids of the text, without what the tokenizer puts in front.
        scored: how many of them are scored.
    """
    whole = encode_text(tokenizer, prefix + text)
    if whole[-scored:] == own[-scored:] and encode_rendered(tokenizer, text) == own:
        return whole
    return encode_text(tokenizer, prefix) + own
