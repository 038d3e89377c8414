"""What can be told from generated text alone: is it varied, or has it collapsed?

Words are runs of letters and digits, or single other characters that are not spaces.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np
from scipy.stats import t as student

from evenkeel.evaluation.bootstrap import Estimate

WORD = re.compile(r"\w+|[^\w\s]")
MAX_REPETITION = 0.5
"""A continuation of which more 3-grams than this are repeats counts as degenerate."""


def ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    words = WORD.findall(text.lower())
    return list(zip(*(words[start:] for start in range(n)), strict=False))


def repetition(text: str) -> float:
    """Share of a text's 3-grams that stand in it before (seq-rep-3, Welleck et al. 2020)."""
    grams = ngrams(text, 3)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def is_degenerate(text: str) -> bool:
    """Whether a text has collapsed.

    It has when it holds no letter or digit, or bytes that are no text, or when more than half of
    its 3-grams are repeats.
    """
    speechless = not any(character.isalnum() for character in text)
    return speechless or "\ufffd" in text or repetition(text) > MAX_REPETITION


def distinct_2(texts: Sequence[str]) -> Estimate:
    """Distinct over all 2-grams of the texts taken together (Li et al. 2016).

    The interval is a jackknife over texts (value +- t x standard error): a bootstrap draws texts
    twice and so finds fewer distinct 2-grams than there are.
    """
    counts = [Counter(ngrams(text, 2)) for text in texts]
    everywhere = Counter(chain.from_iterable(counts))  # in how many texts each 2-gram stands
    totals = np.array([sum(count.values()) for count in counts], dtype=float)
    if not totals.sum():
        return Estimate(None)
    value = len(everywhere) / totals.sum()
    own = np.array([sum(everywhere[gram] == 1 for gram in count) for count in counts])
    remaining = totals.sum() - totals
    if len(texts) < 2 or not remaining.all():
        return Estimate(value)
    without = (len(everywhere) - own) / remaining
    error = np.sqrt((len(texts) - 1) * np.mean((without - without.mean()) ** 2))
    reach = student.ppf(0.975, len(texts) - 1) * error
    return Estimate(value, max(0.0, value - reach), min(1.0, value + reach))
