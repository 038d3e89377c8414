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


Reading = Literal["alone", "led_in", "begun"]
_READ: dict[Beginning, tuple[Reading, ...]] = {
    "bos": ("begun",),
    "nobos": ("alone",),
    "first": ("begun", "alone"),
    "lead_in": ("led_in",),
}
"""How a sentence has to be read for each beginning."""


class Sentences:
    """Sentences to be scored whole.

    Args:
        texts: the sentences.
        encoder: of the model; without a beginning-of-text token only "nobos" and "lead_in" can be
            asked.
        wanted: beginnings to ask for, where they can be.
    """

    def __init__(
        self,
        texts: Sequence[str],
        encoder: Encoder,
        wanted: Sequence[Beginning] = tuple(BEGINNINGS),
    ) -> None:
        bos = encoder.bos
        self._plain = [encoder.plain(text) for text in texts]
        self._led_in = [encoder.after(LEAD_IN, text) for text in texts]
        known: dict[Reading, list[Scored]] = {
            "alone": [Scored(each, 1) for each in self._plain],
            "led_in": self._led_in,
        }
        if bos is not None:
            known["begun"] = [Scored((bos, *each), 1) for each in self._plain]
        self.beginnings: tuple[Beginning, ...] = tuple(
            name for name in BEGINNINGS if name in wanted and set(_READ[name]) <= known.keys()
        )
        needed = {part for name in self.beginnings for part in _READ[name]}
        self._parts: list[Reading] = [part for part in known if part in needed]
        self.asked = [each for part in self._parts for each in known[part]]

    def tokens(self, beginning: Beginning) -> list[Tokens]:
        """The tokens of each sentence under a beginning, of which `read` tells the probability."""
        if beginning == "lead_in":
            return [each.tokens[each.start :] for each in self._led_in]
        return self._plain

    def read(self, log_probs: LogProbs) -> dict[Beginning, list[Float[ndarray, " tokens"]]]:
        """Log-probability of every token of each sentence, in nats; NaN of one not scored."""
        count = len(self._plain)
        parts = {
            part: log_probs[count * place : count * (place + 1)]
            for place, part in enumerate(self._parts)
        }

        def read(beginning: Beginning) -> list[Float[ndarray, " tokens"]]:
            match beginning:
                case "nobos":
                    return [np.concatenate([[np.nan], rest]) for rest in parts["alone"]]
                case "first":
                    both = zip(parts["begun"], parts["alone"], strict=True)
                    return [np.concatenate([whole[:1], rest]) for whole, rest in both]
                case "bos" | "lead_in":
                    return parts[_READ[beginning][0]]

        return {beginning: read(beginning) for beginning in self.beginnings}
