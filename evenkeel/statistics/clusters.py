"""Rows grouped by what they share (prompts of one item), the unit that intervals resample."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray


@dataclass(frozen=True)
class Clusters:
    """Distinct clusters in the order of their first row, and each row's place among them."""

    names: tuple[str, ...]
    index: Int[ndarray, " rows"]

    @classmethod
    def of(cls, names: Sequence[str]) -> "Clusters":
        place = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return cls(tuple(place), np.array([place[name] for name in names], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def counts(self) -> Float[ndarray, " clusters"]:
        """Rows of each cluster."""
        return self.sum(np.ones(len(self.index)))

    def sum(self, values: Float[ndarray, " rows *groups"]) -> Float[ndarray, " clusters *groups"]:
        sums = np.zeros((len(self.names), *values.shape[1:]))
        np.add.at(sums, self.index, values)
        return sums

    def mean(self, values: Float[ndarray, " rows *groups"]) -> Float[ndarray, " clusters *groups"]:
        counts = self.counts
        return self.sum(values) / counts.reshape(-1, *[1] * (values.ndim - 1))
