"""Prompts grouped by their term, which is the unit that every interval resamples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray


@dataclass(frozen=True)
class Terms:
    """Distinct terms in the order of their first prompt, and each prompt's place among them."""

    names: tuple[str, ...]
    index: Int[ndarray, " prompts"]

    @classmethod
    def of(cls, terms: Sequence[str]) -> "Terms":
        place = {name: number for number, name in enumerate(dict.fromkeys(terms))}
        return cls(tuple(place), np.array([place[term] for term in terms], dtype=np.int64))

    @property
    def counts(self) -> Float[ndarray, " terms"]:
        """Prompts of each term."""
        return self.sum(np.ones(len(self.index)))

    def sum(self, values: Float[ndarray, " prompts"]) -> Float[ndarray, " terms"]:
        return np.bincount(self.index, weights=values, minlength=len(self.names))

    def mean(self, values: Float[ndarray, " prompts"]) -> Float[ndarray, " terms"]:
        return self.sum(values) / self.counts
