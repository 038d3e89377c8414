"""Means and covariances of any number of activations, in one pass."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Rows = Float[np.ndarray, "rows width"]


@dataclass(frozen=True)
class Moments:
    """Statistics of rows x, and of the labels z given with them: all that LEACE needs.

    Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form", theorem 4.3.
    """

    count: int
    mean: Float[np.ndarray, " width"]
    covariance: Float[np.ndarray, "width width"]
    """Sum of squares about the mean over count - 1."""
    label_mean: Float[np.ndarray, " labels"]
    cross_covariance: Float[np.ndarray, "width labels"]
    """Of x and z, over count - 1."""


class MomentsFitter:
    """Takes rows in pieces, in float64, and yields their Moments.

    Pieces are merged by their means and squares about them (Chan, Golub and LeVeque 1983), which
    keeps the digits that sums of raw squares lose where the mean is large, as it is in the stream.
    """

    def __init__(self, width: int, labels: int = 0) -> None:
        self._count = 0
        self._mean = np.zeros(width + labels)
        self._squares = np.zeros((width + labels, width))
        self._width = width

    def update(self, rows: Rows, labels: Float[np.ndarray, "rows labels"] | None = None) -> None:
        """Add rows, with the labels of each (such as one column a class) if the fitter has any."""
        given = np.empty((len(rows), 0)) if labels is None else labels
        both = np.concatenate([rows, given], axis=1, dtype=np.float64)
        if rows.shape[1] != self._width or both.shape[1] != len(self._mean):
            raise ValueError(
                f"rows of {rows.shape[1]} values and {given.shape[1]} labels were given, but the "
                f"fitter takes {self._width} and {len(self._mean) - self._width}"
            )
        if not len(rows):
            return
        mean = both.mean(axis=0)
        both -= mean
        shift = mean - self._mean
        total = self._count + len(rows)
        self._squares += both.T @ both[:, : self._width]
        self._squares += np.outer(shift, shift[: self._width]) * (self._count * len(rows) / total)
        self._mean += shift * (len(rows) / total)
        self._count = total

    def result(self) -> Moments:
        """Statistics of all rows so far.

        Raises:
            ValueError: fewer than two rows were given.
        """
        if self._count < 2:
            raise ValueError(f"a covariance needs two rows; update() was given {self._count}")
        covariance = self._squares / (self._count - 1)
        return Moments(
            count=self._count,
            mean=self._mean[: self._width].copy(),
            covariance=covariance[: self._width],
            label_mean=self._mean[self._width :].copy(),
            cross_covariance=covariance[self._width :].T,
        )
