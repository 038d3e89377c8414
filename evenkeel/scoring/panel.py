"""The prompts and texts of one split, encoded once, and what a model says to all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import nn

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.models.batching import context_length
from evenkeel.models.encoding import Tokens
from evenkeel.scoring.log_odds import (
    EncodedPrompt,
    LogOddsReads,
    encode_prompt,
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
from evenkeel.statistics.terms import Terms


@dataclass(frozen=True)
class Readings:
    """What one model, steered or not, says to a panel."""

    stereotypical: Float[ndarray, " prompts"]
    """Log-odds, in nats, positive towards female."""
    margins: Float[ndarray, " definitional_prompts"]
    """Log-odds of the right side against the wrong one."""
    losses: Float[ndarray, " texts"]
    """Negative log-likelihood of each text, in nats."""


@dataclass(frozen=True)
class Panel:
    """What a model is asked: stereotypical and definitional prompts, and plain texts."""

    stereotypical: tuple[Prompt, ...]
    definitional: tuple[Prompt, ...]
    texts: tuple[Tokens, ...]
    """As token ids, with what is put before them."""
    unscored: tuple[int, ...]
    """Tokens at the beginning of each text whose probability is not asked: what is put before it,
    and its own first token."""
    encoded: tuple[EncodedPrompt, ...]
    """The stereotypical prompts and then the definitional ones, as token ids."""

    @classmethod
    def of(
        cls,
        model: nn.Module,
        tokenizer: Any,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        prefix: str = "",
    ) -> "Panel":
        """Encode the prompts and texts of one split.

        A prefix changes what the model reads and nothing that is asked: the same continuations, and
        the same tokens of the texts.

        Args:
            model: says how many tokens of a text fit; longer texts are cut there.
            tokenizer: of the model.
            prompts: of one split and axis; neutral ones have no log-odds and are passed over.
            texts: held-out plain texts.
            prefix: put before every prompt and text, its last space included.

        Raises:
            BadInputError: no stereotypical prompt, no text of two tokens, or a prompt without
                continuations or, where it is definitional, without the side that is right; or the
                prefix leaves too little of the model's context.
        """
        stereotypical = tuple(prompt for prompt in prompts if prompt.kind == "stereotypical")
        definitional = tuple(prompt for prompt in prompts if prompt.kind == "definitional")
        if not stereotypical:
            raise BadInputError(
                "no stereotypical prompts in this split and axis; bias is measured on them, so "
                "the prompt file must hold some for every split"
            )
        for prompt in definitional:
            if prompt.expected is None:
                raise BadInputError(f"prompt {prompt.id}: definitional, but expected is null")
        limit = context_length(model)
        encoded_texts = tuple(encode_text(tokenizer, text)[:limit] for text in texts)
        scorable = tuple(text for text in encoded_texts if len(text) > 1)
        if not scorable:
            raise BadInputError(
                "no held-out text of two tokens or more in this split; perplexity needs some"
            )
        encoded = tuple(
            encode_prompt(tokenizer, prompt.model_copy(update={"text": prefix + prompt.text}))
            for prompt in stereotypical + definitional
        )
        scored = [len(text) - 1 for text in scorable]
        if prefix:
            scorable = tuple(
                _after(tokenizer, prefix, text, alone[:limit])
                for text, alone in ((text, encode_text(tokenizer, text)) for text in texts)
                if len(alone[:limit]) > 1
            )
        unscored = tuple(len(text) - own for text, own in zip(scorable, scored, strict=True))
        panel = cls(stereotypical, definitional, scorable, unscored, encoded)
        check_fits(model, [*panel._asked.rows, *scorable])
        return panel

    def read(self, model: nn.Module, batch_size: int) -> Readings:
        """Ask the model everything; call it within `steer` to ask a steered one."""
        return self.readings(read_log_probs(model, self.batches(batch_size)))

    def batches(self, batch_size: int) -> list[ReadBatch]:
        """The forward passes that all questions take; one result holds the reads of all."""
        prompts = read_batches(self._asked.rows, self._asked.reads, batch_size)
        reads = len(self._asked.reads.row)
        return prompts + read_batches(self.texts, self._scored, batch_size, offset=reads)

    def readings(self, token_log_probs: Float[ndarray, " reads"]) -> Readings:
        """What the reads of all batches say."""
        of_prompts, of_texts = np.split(token_log_probs, [len(self._asked.reads.row)])
        odds = self._asked.log_odds(of_prompts)
        asked = len(self.stereotypical)
        return Readings(
            stereotypical=odds[:asked],
            margins=odds[asked:] * self._right_side,
            losses=np.bincount(self._scored.row, weights=-of_texts, minlength=len(self.texts)),
        )

    @cached_property
    def _asked(self) -> LogOddsReads:
        return LogOddsReads.of(self.encoded)

    @cached_property
    def _scored(self) -> Reads:
        return text_reads(self.texts, self.unscored)

    @cached_property
    def occupations(self) -> Terms:
        return Terms.of([prompt.term for prompt in self.stereotypical])

    @cached_property
    def definitions(self) -> Terms:
        return Terms.of([prompt.term for prompt in self.definitional])

    @cached_property
    def planted(self) -> Float[ndarray, " occupations"]:
        """logit(share of women) of each occupation; NaN where the share is unknown, 0 or 1."""
        shares = dict.fromkeys(self.occupations.names, np.nan)
        for prompt in self.stereotypical:
            if prompt.share_female is not None:
                shares[prompt.term] = prompt.share_female
        share = np.array(list(shares.values()), dtype=float)
        inside = (share > 0) & (share < 1)
        logit = np.full(len(share), np.nan)
        logit[inside] = np.log(share[inside] / (1 - share[inside]))
        return logit

    @cached_property
    def scored_tokens(self) -> Float[ndarray, " texts"]:
        """Tokens of each text whose probability is asked."""
        lengths = np.array([len(text) for text in self.texts])
        return (lengths - np.array(self.unscored)).astype(float)

    @cached_property
    def _right_side(self) -> Float[ndarray, " definitional_prompts"]:
        return np.array(
            [1.0 if prompt.expected == "female" else -1 for prompt in self.definitional]
        )


def _after(tokenizer: Any, prefix: str, text: str, alone: Tokens) -> Tokens:
    """Token ids of a text after a prefix, that end as those of the text alone do.

    Encoded in one piece where that leaves all but the text's first token as they are: there the
    two meet. Otherwise (the first word falls into other pieces) encoded apart and joined.
    """
    whole = encode_text(tokenizer, prefix + text)
    if whole[1 - len(alone) :] == alone[1:]:
        return whole
    own = alone[1:] if alone[0] in tokenizer.all_special_ids else alone
    return encode_text(tokenizer, prefix) + own
