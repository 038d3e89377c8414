"""What a model, steered or not, answers to the prompts: its words, and how they read to itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.models.batching import context_length
from evenkeel.models.chat import render_message
from evenkeel.models.encoding import TextEncoder
from evenkeel.params import DemonstrationSamplingParams, WordsParams
from evenkeel.scoring.group_reads import (
    Encode,
    encode_groups,
    encode_rendered,
    encode_text,
    group_log_probs,
)
from evenkeel.scoring.token_reads import (
    Reads,
    check_fits,
    read_batches,
    read_log_probs,
)
from evenkeel.steering.continuations import continue_texts

BATCH_SIZE = 64


@dataclass(frozen=True, eq=False)
class Questions:
    """Prompts, and how they are put to a model.

    Args:
        tokenizer: of the model.
        prompts: texts.
        words: whose log-odds are read after each prompt; None: none are.
        sampling: how the prompts are continued.
        seed: of sampling.
    """

    tokenizer: Any
    prompts: Sequence[str]
    words: WordsParams | None
    sampling: DemonstrationSamplingParams
    seed: int

    def log_odds(self, model: Any) -> Float[ndarray, " prompts"] | None:
        """log P(positive words) - log P(negative words) after each prompt, in nats.

        Raises:
            BadInputError: a prompt is too long, or a word is empty or listed on both sides.
        """
        if self.words is None:
            return None
        words = {"positive": self.words.positive, "negative": self.words.negative}
        asked = [
            encode_groups(
                self.tokenizer,
                dict.fromkeys(words, self._before(text)),
                words,
                f"demonstration.prompts, {text[:40]!r}",
                self._encode,
            )
            for text in self.prompts
        ]
        positive, negative = group_log_probs(model, asked, BATCH_SIZE).T
        return positive - negative

    def continuations(self, model: Any) -> list[str]:
        """Prompt by prompt, `sampling.samples` of each, from the same random numbers every time.

        Raises:
            BadInputError: chat is asked for and the tokenizer has no chat template.
        """
        how = self.sampling
        return continue_texts(
            model,
            self.tokenizer,
            [text for text in self.prompts for _ in range(how.samples)],
            max_new_tokens=how.max_new_tokens,
            temperature=how.temperature,
            top_p=how.top_p,
            frequency_penalty=how.frequency_penalty,
            chat=how.chat_template,
            batch_size=BATCH_SIZE,
            seed=self.seed,
        )

    def losses(
        self, model: Any, continuations: Sequence[str]
    ) -> tuple[Float[ndarray, " texts"], Float[ndarray, " texts"]]:
        """Negative log-likelihood of each continuation after its prompt, in nats, and its tokens.

        The texts are encoded again, so that what cannot be written (half a character) is lost.
        """
        rows, reads = [], []
        for index, text in enumerate(continuations):
            before = self._before(self.prompts[index // self.sampling.samples])
            context = self._encode(self.tokenizer, before)
            added = TextEncoder.of(self.tokenizer).plain(text)
            row = (context + added)[: context_length(model)]
            rows.append(row)
            reads += [(index, place, row[place]) for place in range(len(context), len(row))]
        check_fits(model, rows)
        table = np.array(reads, dtype=np.int64).reshape(-1, 3)
        found = read_log_probs(model, read_batches(rows, Reads(*table.T), BATCH_SIZE))
        texts = len(continuations)
        return (
            np.bincount(table[:, 0], weights=-found, minlength=texts),
            np.bincount(table[:, 0], minlength=texts).astype(float),
        )

    def _before(self, prompt: str) -> str:
        """What is read before an answer begins."""
        return render_message(self.tokenizer, prompt) if self.sampling.chat_template else prompt

    @property
    def _encode(self) -> Encode:
        """Of that."""
        return encode_rendered if self.sampling.chat_template else encode_text
