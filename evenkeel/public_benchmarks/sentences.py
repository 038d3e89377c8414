"""Sentences under each of the ways in which the field begins one for a causal model."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.models.encoding import Tokens
from evenkeel.public_benchmarks.encoding import Scored
from evenkeel.public_benchmarks.scoring import LogProbs

Beginning = Literal["bos", "nobos", "first"]

BEGINNINGS: dict[Beginning, str] = {
    "bos": "after the beginning-of-text token",
    "nobos": "from the sentence alone, whose first token is then not scored",
    "first": "the first token after the beginning-of-text token, the others without that token",
}

WHOLE = {
    "sum": "log-likelihood of the whole sentence",
    "mean": "log-likelihood of the whole sentence per token",
}


class Sentences:
    """Sentences to be scored whole.

    Args:
        tokens: of each sentence, without special tokens.
        bos: the beginning-of-text token; without one, only "nobos" can be asked.
    """

    def __init__(self, tokens: Sequence[Tokens], bos: int | None) -> None:
        self.tokens = tokens
        self.beginnings: tuple[Beginning, ...] = (
            tuple(BEGINNINGS) if bos is not None else ("nobos",)
        )
        self.asked = [Scored(each, 1) for each in tokens]
        if bos is not None:
            self.asked += [Scored((bos, *each), 1) for each in tokens]

    def read(self, log_probs: LogProbs) -> dict[Beginning, list[Float[ndarray, " tokens"]]]:
        """Log-probability of every token of each sentence, in nats; NaN of one not scored."""
        alone, begun = log_probs[: len(self.tokens)], log_probs[len(self.tokens) :]
        read: dict[Beginning, list[Float[ndarray, " tokens"]]] = {
            "nobos": [np.concatenate([[np.nan], rest]) for rest in alone]
        }
        if begun:
            read["bos"] = begun
            read["first"] = [
                np.concatenate([whole[:1], rest]) for whole, rest in zip(begun, alone, strict=True)
            ]
        return {beginning: read[beginning] for beginning in self.beginnings}
