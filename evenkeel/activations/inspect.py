"""What is in a store."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evenkeel.activations.content import Header
from evenkeel.activations.reading import blocks
from evenkeel.activations.store import ActivationStore


@dataclass(frozen=True)
class PointSummary:
    """The activations of one site and layer."""

    site: str
    layer: int
    rows: int
    width: int
    mean_norm: float
    """Mean Euclidean norm of a row."""
    not_finite: int
    """Rows that hold an infinity or NaN; the writer lets none through."""


@dataclass(frozen=True)
class StoreInspection:
    """A store, every row of it read and found to match its checksum."""

    header: Header
    shards: int
    bytes: int
    texts: int
    tokens: int
    fields: tuple[str, ...]
    """What is known of each text."""
    points: tuple[PointSummary, ...]


def inspect_store(path: Path) -> StoreInspection:
    """Read a store whole, a block at a time, and say what is in it.

    Raises:
        BadInputError: it is missing, foreign or damaged anywhere.
    """
    with ActivationStore.open(path) as store:
        return StoreInspection(
            header=store.header,
            shards=len(store.shards),
            bytes=sum(shard.path.stat().st_size for shard in store.shards),
            texts=len(store.texts),
            tokens=len(store.input_ids),
            fields=tuple(store.texts.columns),
            points=tuple(
                _summary(store, site, layer, width) for site, layer, width in store.header.points
            ),
        )


def _summary(store: ActivationStore, site: str, layer: int, width: int) -> PointSummary:
    norms, not_finite = 0.0, 0
    for rows in blocks(store, site, layer):
        norms += float(np.linalg.norm(rows, axis=1).sum(dtype=np.float64))
        not_finite += int((~np.isfinite(rows)).any(axis=1).sum())
    return PointSummary(site, layer, store.rows, width, norms / store.rows, not_finite)
