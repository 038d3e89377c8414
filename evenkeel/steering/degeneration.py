"""What can be told from generated text alone: is it varied, or has it collapsed?

Words are runs of letters and digits, or single other characters that are not spaces.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.stats import t as student

from evenkeel.statistics.estimate import Estimate

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


def distinct_2(samples: Sequence[Sequence[str]]) -> Estimate:
    """Distinct over all 2-grams of one text of each prompt taken together (Li et al. 2016).

    The mean over samples: the more text is taken together, the more of it has stood before.

    The interval is a jackknife over prompts (value +- t x standard error): a bootstrap draws texts
    twice and so finds fewer distinct 2-grams than there are.

    Args:
        samples: of each sample the texts, prompt by prompt.
    """
    found = [_distinct_2(texts) for texts in samples]
    value = float(np.mean([whole for whole, _ in found]))
    without = np.mean([left_out for _, left_out in found], axis=0)
    prompts = len(without)
    if not np.isfinite(value):
        return Estimate(None)
    if prompts < 2 or not np.isfinite(without).all():
        return Estimate(value)
    error = np.sqrt((prompts - 1) * np.mean((without - without.mean()) ** 2))
    reach = student.ppf(0.975, prompts - 1) * error
    return Estimate(value, max(0.0, value - reach), min(1.0, value + reach))


def _distinct_2(texts: Sequence[str]) -> tuple[float, Float[ndarray, " texts"]]:
    """Distinct over all 2-grams of the texts, and the same without each; NaN of no 2-gram."""
    counts = [Counter(ngrams(text, 2)) for text in texts]
    everywhere = Counter(chain.from_iterable(counts))  # in how many texts each 2-gram stands
    totals = np.array([sum(count.values()) for count in counts], dtype=float)
    own = np.array([sum(everywhere[gram] == 1 for gram in count) for count in counts], dtype=float)
    with np.errstate(invalid="ignore"):
        whole = np.float64(len(everywhere)) / totals.sum()
        return float(whole), (len(everywhere) - own) / (totals.sum() - totals)
