"""Whom does a pronoun mean? Asked of a causal model by what it says next.

The other rule of the field, the candidate in the pronoun's place (Trinh and Le 2018), is of no use
here: it takes the pronoun out, and with it the gender whose effect is to be measured.

Every prompt is also asked after a neutral sentence: a real model's first position is an attention
sink, and what stands beside it, here mostly the occupation, may be misread.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.public_benchmarks.encoding import LEAD_IN, Encoder, Scored
from evenkeel.public_benchmarks.scoring import LogProbs

PROMPT = '{sentence} "{pronoun}" refers to'
_SCORES = {
    "sum": f"{PROMPT} + candidate: log-likelihood of the candidate",
    "mean": f"{PROMPT} + candidate: log-likelihood of the candidate per token",
}
RULES = _SCORES | {f"lead_in_{name}": f"{LEAD_IN}{meaning}" for name, meaning in _SCORES.items()}
"""The candidate that the rule gives the higher value is the model's answer."""


@dataclass(frozen=True)
class Mention:
    """A pronoun in its sentence, and whom it can mean."""

    sentence: str
    pronoun: str
    right: str
    """As in "the nurse"."""
    wrong: str

    @property
    def beginning(self) -> str:
        """The words before the pronoun; empty if it begins the sentence."""
        before = re.split(rf"\s+{re.escape(self.pronoun)}\b", self.sentence, maxsplit=1)
        return before[0].strip() if len(before) > 1 else ""

    def asked(self, encoder: Encoder) -> tuple[Scored, ...]:
        """The right candidate and the wrong one after the prompt, and both after a lead-in, too."""
        prompt = PROMPT.format(sentence=self.sentence, pronoun=self.pronoun.capitalize())
        return tuple(
            encoder.continuation(before + prompt, f" {candidate}")
            for before in ("", LEAD_IN)
            for candidate in (self.right, self.wrong)
        )


def margins(log_probs: LogProbs) -> Mapping[str, Float[ndarray, " mentions"]]:
    """By how many nats the right candidate beats the wrong one, by every rule.

    Args:
        log_probs: of what `Mention.asked` asks, of all mentions one after another.
    """
    found: dict[str, Float[ndarray, " mentions"]] = {}
    for name, reduce in (("sum", np.sum), ("mean", np.mean)):
        scores = np.array([reduce(each) for each in log_probs]).reshape(-1, 2, 2)
        bare, led_in = (scores[:, :, 0] - scores[:, :, 1]).T
        found |= {name: bare, f"lead_in_{name}": led_in}
    return {name: found[name] for name in RULES}
