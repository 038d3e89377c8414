"""A measured value with its interval."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; None is unknown."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "unknown"
        if self.low is None or self.high is None:
            return f"{self.value:.3g}"
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def columns(self, name: str) -> dict[str, float | list[float] | None]:
        """`{name: value, name_ci95: [low, high]}`, rounded to six significant digits."""
        if self.low is None or self.high is None:
            return {name: rounded(self.value), f"{name}_ci95": None}
        ends = [float(f"{end:.6g}") for end in (self.low, self.high)]
        return {name: rounded(self.value), f"{name}_ci95": ends}

    def cells(self, name: str) -> dict[str, float | None]:
        """`{name: value, name_low: ..., name_high: ...}`: the columns of a table."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


def rounded(value: float | None) -> float | None:
    """Six significant digits, which is more than any interval here supports; None stays None."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.6g}")


Measures = dict[str, Estimate]
"""Estimates by the name of their metric."""
