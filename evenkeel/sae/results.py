"""What is known of the latents, for those who read it: the table of features, and contexts."""

from pathlib import Path
from typing import Literal

import pandas as pd

from evenkeel.datasets.records import Record
from evenkeel.errors import BadInputError
from evenkeel.sae.parquet import read_parquet

LEADING = ["feature", "mean", "std", "skewness", "kurtosis", "sparsity", "top_activated_words"]
"""The columns that SAELens's users know; mean to kurtosis are those of the logit weights."""


class Context(Record):
    """A window of a text, with one latent's activation on each token."""

    feature: int
    kind: Literal["top", "silent"]
    """top: the latent fires; silent: it fires nowhere in the text."""
    rank: int
    """Top contexts: by peak activation, from 0, no text twice. Silent ones: in random order."""
    tokens: tuple[str, ...]
    """The text of each token, leading space included; tokens that share a character are one."""
    activations: tuple[float, ...]
    """On each token; all 0 in a silent context."""
    peak: int
    """Index of the token with the largest activation; in a silent context of a random token."""


def read_table(path: Path) -> pd.DataFrame:
    """Read features.parquet.

    Raises:
        BadInputError: the file is missing, damaged, or lacks the leading columns.
    """
    table = read_parquet(path, "run extract_features")
    if list(table.columns[: len(LEADING)]) != LEADING:
        raise BadInputError(
            f"{path}: not a table of features; its columns should begin with {', '.join(LEADING)}"
        )
    numbers = table["feature"]
    if not pd.api.types.is_integer_dtype(numbers) or (numbers < 0).any() or not numbers.is_unique:
        raise BadInputError(
            f"{path}: its features are not numbered once each, from 0; run extract_features again"
        )
    return table
