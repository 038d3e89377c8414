"""Statements whose activations hold a known direction, beside a store that hands them out."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from evenkeel.models.sites import HookPoint

GROUPS = ("men", "women")


def planted_statements(
    axes: tuple[str, ...] = ("gender",),
    terms: int = 8,
    quads: int = 16,
    groups: tuple[str, ...] = GROUPS,
) -> pd.DataFrame:
    """`quads` quads a split and axis, of `terms` group terms and attributes a kind and split."""
    rows = []
    for axis in axes:
        for split in ("train", "validation", "test"):
            for quad in range(quads):
                for group in groups:
                    for label in ("biased", "neutral"):
                        term = f"{group}{split}{quad % terms}"
                        kind = group if label == "biased" else ""
                        said = f"{label}{kind}{split}{(quad + quad // terms) % terms}"
                        rows.append(
                            {
                                "id": f"{axis}-{split}-{quad}-{group}-{label}",
                                "axis": axis,
                                "group": group,
                                "label": label,
                                "pair": f"{axis}-{split}-{quad}-{group}",
                                "quad": f"{axis}-{split}-{quad}",
                                "template": f"{split}{quad % 3}",
                                "terms": f"{term}|{said}",
                                "split": split,
                                "text": f"{term} {said}.",
                            }
                        )
    return pd.DataFrame(rows)


def planted_activations(
    statements: pd.DataFrame,
    *,
    width: int = 12,
    bias: float = 3.0,
    group: float = 3.0,
    noise: float = 1.0,
    seed: int = 0,
) -> np.ndarray:
    """Gaussian noise + `bias` along dimension 0 if biased + `group` along dimension 1 if men."""
    x = noise * np.random.default_rng(seed).standard_normal((len(statements), width))
    x[:, 0] += bias * (statements["label"] == "biased")
    x[:, 1] += group * (statements["group"] == "men")
    return x.astype(np.float32)


@dataclass
class FakeStore:
    """The read side of an activation store, in memory."""

    texts: pd.DataFrame
    rows: dict[HookPoint, np.ndarray]
    positions: str = "last"
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    sinks: str = "exclude"

    @property
    def header(self) -> SimpleNamespace:
        return SimpleNamespace(sinks=self.sinks)

    def sink_probe(self, site: str, layer: int) -> None:
        """None: planted activations have no later sinks."""

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(point.site for point in self.rows))

    def layers(self, site: str) -> tuple[int, ...]:
        return tuple(point.layer for point in self.rows if point.site == site)

    def tokens_of(self, texts: np.ndarray) -> int:
        """As many as are stored, or three a text where one activation of each is."""
        lengths = np.diff(self.offsets)
        return int(lengths[texts].sum()) if len(lengths) else 3 * len(texts)

    path: ClassVar = Path("fake.h5")
    model: ClassVar = {"name": "fake", "revision": "r", "fingerprint": "f"}

    def read(self, site: str, layer: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        return self.rows[HookPoint.of(site, layer)][start:stop]


def fit_settings(**changes: Any) -> dict[str, Any]:
    return {"control_draws": 3, "resamples": 200, "seed": 0} | changes
