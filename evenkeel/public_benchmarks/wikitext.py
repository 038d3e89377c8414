"""WikiText-2 (Merity et al. 2017): perplexity of a long text, each token given a long context."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.errors import BadInputError
from evenkeel.metrics.fluency import perplexity
from evenkeel.public_benchmarks.encoding import Encoder, Scored
from evenkeel.public_benchmarks.measures import Measure
from evenkeel.public_benchmarks.reading import file_of, text_of
from evenkeel.public_benchmarks.scoring import LogProbs
from evenkeel.public_benchmarks.task import Task

FILE = "valid.txt"
LONGEST = 1024
"""Tokens of a window at most: longer ones cost more and change little."""


def read_wikitext(path: Path) -> str:
    """Read the file, or the folder that holds it.

    Raises:
        BadInputError: it is missing, empty or not UTF-8.
    """
    return text_of(file_of(path, FILE))


class WikiText(Task):
    """The whole text as one row of tokens, cut into windows.

    Args:
        text: scored as it is, markup included.
        encoder: of the model.
        vocabulary: tokens that the model knows; guessing among them is chance.
        stride: tokens from one window to the next; None is a whole window, without overlap. Every
            window begins with what the tokenizer puts before a text.

    Raises:
        BadInputError: the stride is longer than a window, or the text is a single token.
    """

    def __init__(self, text: str, encoder: Encoder, vocabulary: int, stride: int | None) -> None:
        front = encoder.front
        window = min(encoder.limit or LONGEST, LONGEST) - len(front)
        stride = stride or window
        if stride > window:
            raise BadInputError(
                f"benchmarks.stride: {stride} tokens, but a window has {window}; lower it"
            )
        tokens = encoder.begun(text)[len(front) :]
        if len(tokens) < 2:
            raise BadInputError("WikiText: a text of two tokens or more is needed")
        self.asked, end = [], 1
        # A window predicts the token after each of its own, so a row holds one more than it.
        for start in range(0, len(tokens) - 1, stride):
            row = tokens[start : start + window + 1]
            if start + len(row) > end:
                self.asked.append(Scored(front + row, len(front) + end - start))
                end = start + len(row)
        self._vocabulary = vocabulary
        self._tokens = np.array([len(each.tokens) - each.start for each in self.asked], dtype=float)
        words = len(text.split())
        self._tokens_per_word = self._tokens.sum() / words
        self.size = {"tokens": int(self._tokens.sum()), "words": words, "windows": len(self.asked)}
        begun = ", each after what the tokenizer puts before a text" if front else ""
        self.rules = {
            "rolling": (
                f"windows of {window} tokens, {stride} apart{begun}; every token but the text's "
                "first is scored once, with the longest context that its window has; words are "
                "what whitespace parts"
            )
        }

    def measures(self, log_probs: LogProbs) -> list[Measure]:
        """Perplexity by token and by word; an interval resamples windows."""
        losses = -np.array([each.sum() for each in log_probs])

        def by_word(
            losses: Float[ndarray, "... windows"], tokens: Float[ndarray, "... windows"]
        ) -> Float[ndarray, "..."]:
            return perplexity(losses, tokens) ** self._tokens_per_word

        return [
            Measure(
                "rolling", "all", name, "competence", chance, statistic, (losses, self._tokens),
                additive=True, change="ratio",
            )
            for name, chance, statistic in (
                ("token_perplexity", float(self._vocabulary), perplexity),
                ("word_perplexity", float(self._vocabulary) ** self._tokens_per_word, by_word),
            )
        ]  # fmt: skip
