"""Sentences under each of the ways in which the field begins one for a causal model, and one more.

A real model's first position is an attention sink, and what stands beside it may be misread. So
every sentence is also scored after a neutral one, by rules that no original has.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.models.encoding import Tokens
from evenkeel.public_benchmarks.encoding import LEAD_IN, Encoder, Scored, longest
from evenkeel.public_benchmarks.scoring import LogProbs

Beginning = Literal["bos", "nobos", "first", "lead_in"]

BEGINNINGS: dict[Beginning, str] = {
    "bos": "after the beginning-of-text token",
    "nobos": "from the sentence alone, whose first token is then not scored",
    "first": "the first token after the beginning-of-text token, the others without that token",
    "lead_in": f"after {LEAD_IN.rstrip()!r}",
}

WHOLE = {
    "sum": "log-likelihood of the whole sentence",
    "mean": "log-likelihood of the whole sentence per token",
}


def sentence_length(encoder: Encoder, text: str) -> int:
    """Tokens that a model has to look at to score a sentence under every beginning."""
    return max(len(encoder.plain(text)), longest([encoder.after(LEAD_IN, text)]))


class Sentences:
    """Sentences to be scored whole.

    Args:
        texts: the sentences.
        encoder: of the model; without a beginning-of-text token only "nobos" and "lead_in" can be
            asked.
    """

    def __init__(self, texts: Sequence[str], encoder: Encoder) -> None:
        bos = encoder.bos
        self._plain = [encoder.plain(text) for text in texts]
        self._led_in = [encoder.after(LEAD_IN, text) for text in texts]
        self.beginnings: tuple[Beginning, ...] = (
            tuple(BEGINNINGS) if bos is not None else ("nobos", "lead_in")
        )
        self.asked = [Scored(each, 1) for each in self._plain] + self._led_in
        if bos is not None:
            self.asked += [Scored((bos, *each), 1) for each in self._plain]

    def tokens(self, beginning: Beginning) -> list[Tokens]:
        """The tokens of each sentence under a beginning, of which `read` tells the probability."""
        if beginning == "lead_in":
            return [each.tokens[each.start :] for each in self._led_in]
        return self._plain

    def read(self, log_probs: LogProbs) -> dict[Beginning, list[Float[ndarray, " tokens"]]]:
        """Log-probability of every token of each sentence, in nats; NaN of one not scored."""
        count = len(self._plain)
        alone, led_in, begun = (log_probs[count * part : count * (part + 1)] for part in range(3))
        read: dict[Beginning, list[Float[ndarray, " tokens"]]] = {
            "nobos": [np.concatenate([[np.nan], rest]) for rest in alone],
            "lead_in": led_in,
        }
        if begun:
            read["bos"] = begun
            read["first"] = [
                np.concatenate([whole[:1], rest]) for whole, rest in zip(begun, alone, strict=True)
            ]
        return {beginning: read[beginning] for beginning in self.beginnings}
