"""Whom does a pronoun mean? Asked of a causal model by what it says next.

The other rule of the field, the candidate in the pronoun's place (Trinh and Le 2018), is of no use
here: it takes the pronoun out, and with it the gender whose effect is to be measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.public_benchmarks.encoding import Encoder, Scored
from evenkeel.public_benchmarks.scoring import LogProbs

PROMPT = '{sentence} "{pronoun}" refers to'
RULES = {
    "sum": f"{PROMPT} + candidate: log-likelihood of the candidate",
    "mean": f"{PROMPT} + candidate: log-likelihood of the candidate per token",
}
"""The candidate that the rule gives the higher value is the model's answer."""


@dataclass(frozen=True)
class Mention:
    """A pronoun in its sentence, and whom it can mean."""

    sentence: str
    pronoun: str
    right: str
    """As in "the nurse"."""
    wrong: str

    def asked(self, encoder: Encoder) -> tuple[Scored, Scored]:
        """The right candidate and the wrong one, each after the prompt."""
        prompt = PROMPT.format(sentence=self.sentence, pronoun=self.pronoun.capitalize())
        return (
            encoder.continuation(prompt, f" {self.right}"),
            encoder.continuation(prompt, f" {self.wrong}"),
        )


def margins(log_probs: LogProbs) -> Mapping[str, Float[ndarray, " mentions"]]:
    """By how many nats the right candidate beats the wrong one, by every rule.

    Args:
        log_probs: of what `Mention.asked` asks, of all mentions one after another.
    """
    sums = np.array([each.sum() for each in log_probs]).reshape(-1, 2)
    means = np.array([each.mean() for each in log_probs]).reshape(-1, 2)
    return {"sum": sums[:, 0] - sums[:, 1], "mean": means[:, 0] - means[:, 1]}
