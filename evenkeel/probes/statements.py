"""Which rows of the activations are which statements."""

from typing import get_args

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from evenkeel.activations.sinks import kept_rows
from evenkeel.activations.store import ActivationStore
from evenkeel.datasets.records import Label
from evenkeel.errors import BadInputError
from evenkeel.params import Split

FIELDS = ("axis", "group", "label", "pair", "quad", "split", "terms", "text")


def statements_of(store: ActivationStore) -> pd.DataFrame:
    """The records of the stored texts.

    Raises:
        BadInputError: they are no statements, or one has a label or split that none has.
    """
    missing = [name for name in FIELDS if name not in store.texts]
    if missing:
        raise BadInputError(
            f"{store.path}: its texts have no {', '.join(missing)}, so they are no statements; "
            "give the activations of data/dataset/statements.jsonl"
        )
    for name, known in (("label", get_args(Label)), ("split", get_args(Split))):
        if unknown := sorted(set(store.texts[name]) - set(known)):
            raise BadInputError(
                f"{store.path}: {name} {unknown[0]!r} of a statement is unknown; known are "
                f"{', '.join(known)}; mend the texts and cache their activations again"
            )
    return store.texts


def text_activations(
    store: ActivationStore, site: str, layer: int
) -> Float[np.ndarray, "texts d_model"]:
    """One activation a text: as stored, or the mean over its tokens where all were stored.

    Attention sinks are no part of the mean, unless the store says that they count.

    Raises:
        BadInputError: an activation is not finite, or the store lacks the site or layer.
    """
    rows = store.read(site, layer)
    if not np.isfinite(rows).all():
        raise BadInputError(
            f"activations {site}/{layer}: a NaN or an infinity; cache them again, in float32 or "
            "bfloat16 if the model's values are large"
        )
    if store.positions != "all":
        return rows
    lengths = np.diff(store.offsets)
    assert lengths.min() > 0, "the store holds a text of no tokens"
    sinks = store.header.sinks
    kept = kept_rows(rows, store.offsets, sinks, store.sink_probe(site, layer))
    starts = store.offsets[:-1]
    sums = np.add.reduceat(rows * kept[:, None], starts, axis=0, dtype=np.float64)
    return (sums / np.add.reduceat(kept, starts, dtype=np.int64)[:, None]).astype(np.float32)


def stream_rows(
    store: ActivationStore, site: str, layer: int
) -> Float[np.ndarray, "texts d_model"]:
    """The residual stream at each text: its stored row, or that of its last token of all."""
    rows = store.read(site, layer)
    return rows[store.offsets[1:] - 1] if store.positions == "all" else rows


def select(statements: pd.DataFrame, axis: str, split: str) -> Int[np.ndarray, " rows"]:
    """Row numbers of one axis and split.

    Raises:
        BadInputError: there are none, or all have the same label.
    """
    rows = np.flatnonzero((statements["axis"] == axis) & (statements["split"] == split))
    where = f"statements of axis {axis!r}, split {split!r}"
    if len(rows) == 0:
        raise BadInputError(f"{where}: none; cache more texts or synthesize more statements")
    labels = statements["label"].to_numpy()[rows]
    if len(set(labels)) == 1:
        raise BadInputError(
            f"{where}: all are {labels[0]}; both biased and neutral statements are needed"
        )
    return rows


def biased(statements: pd.DataFrame) -> Bool[np.ndarray, " rows"]:
    """True where the label is biased."""
    return (statements["label"] == "biased").to_numpy()


def terms(statements: pd.DataFrame) -> list[tuple[str, ...]]:
    """What fills each statement's template, slot by slot (the store joins them with '|')."""
    return [tuple(joined.split("|")) for joined in statements["terms"]]
