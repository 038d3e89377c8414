"""How each latent goes with the axes: tests of all latents at once, on texts' activations.

Columns are named `<axis>_<contrast>_<measure>_<part>`:

contrast  bias: biased against neutral statements; group: statements about the first group against
          those about the second, in alphabetical order; definition: definitional prompts (a mother,
          a king) whose right side is female against those whose right side is male
measure   auroc: probability that a random statement of the first side activates the latent more
          than one of the second (ties count half); smd: standardized mean difference, in pooled
          standard deviations; q: Mann-Whitney p, Benjamini-Hochberg corrected over all latents
part      selection: train and validation texts, to choose features by; test: to report
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import stats

from evenkeel.datasets.records import Prompt, Statement
from evenkeel.errors import BadInputError

CONTRASTS = ("bias", "group", "definition")
PARTS = {"selection": ("train", "validation"), "test": ("test",)}
_COLUMNS_AT_ONCE = 4096


def contrast(
    first: Float[np.ndarray, "first latents"], second: Float[np.ndarray, "second latents"]
) -> dict[str, Float[np.ndarray, " latents"]]:
    """auroc, smd and q of every latent; 0.5, 0 and 1 for one that is the same on all texts."""
    parts = []
    for start in range(0, first.shape[1], _COLUMNS_AT_ONCE):
        block = slice(start, start + _COLUMNS_AT_ONCE)
        one, other = first[:, block].astype(np.float64), second[:, block].astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            parts.append(stats.mannwhitneyu(one, other, axis=0, method="asymptotic"))
    u = np.concatenate([part.statistic for part in parts])
    p = np.nan_to_num(np.concatenate([part.pvalue for part in parts]), nan=1.0)
    return {
        "auroc": u / (len(first) * len(second)),
        "smd": standardized_difference(first, second),
        "q": stats.false_discovery_control(p, method="bh"),
    }


def standardized_difference(
    first: Float[np.ndarray, "first latents"], second: Float[np.ndarray, "second latents"]
) -> Float[np.ndarray, " latents"]:
    """Cohen's d: difference of means over the pooled standard deviation; 0 where all are equal."""
    n, m = len(first), len(second)
    pooled = np.sqrt(
        (n * first.var(0, dtype=np.float64) + m * second.var(0, dtype=np.float64)) / (n + m - 2)
    )
    difference = first.mean(0, dtype=np.float64) - second.mean(0, dtype=np.float64)
    return np.divide(difference, pooled, out=np.zeros_like(pooled), where=pooled > 0)


def top_unique(
    positive: Float[np.ndarray, "positive latents"],
    negative: Float[np.ndarray, "negative latents"],
    k: int = 40,
) -> Bool[np.ndarray, " latents"]:
    """Latents among the `k` with the largest summed activation on `positive`, not on `negative`.

    The plain ranking that people use; latents that do not fire are in neither list.
    """
    first, second = (
        strongest_latents(side.sum(0, dtype=np.float64), k) for side in (positive, negative)
    )
    unique: np.ndarray = first & ~second
    return unique


def strongest_latents(sums: Float[np.ndarray, " latents"], k: int) -> Bool[np.ndarray, " latents"]:
    """The `k` largest of summed activations, those that do not fire left out."""
    top = np.zeros(len(sums), dtype=bool)
    top[np.argsort(-sums, kind="stable")[:k]] = True
    return top & (sums > 0)


def contrasts_of(table: pd.DataFrame, axis: str) -> list[str]:
    """The contrasts that a table has of an axis: prompts are definitional on some axes only."""
    return [name for name in CONTRASTS if f"{axis}_{name}_auroc_selection" in table]


def definitions(
    prompts: Sequence[Prompt], activations: Float[np.ndarray, "prompts latents"]
) -> pd.DataFrame:
    """One row a latent; the columns above for each axis of these definitional prompts.

    Raises:
        BadInputError: an axis has only one side of them in one part.
    """
    columns: dict[str, np.ndarray] = {}
    kinds = [(row.axis, row.expected, row.split) for row in prompts]
    frame = pd.DataFrame(kinds, columns=["axis", "expected", "split"])
    for axis in sorted(set(frame["axis"])):
        for part, splits in PARTS.items():
            own = frame[(frame["axis"] == axis) & frame["split"].isin(splits)]
            sides = [activations[own.index[own["expected"] == side]] for side in ("female", "male")]
            columns |= _columns(axis, "definition", part, *sides)
    return pd.DataFrame(columns, index=range(activations.shape[1]))


def associations(
    statements: Sequence[Statement], activations: Float[np.ndarray, "statements latents"]
) -> pd.DataFrame:
    """One row a latent; for each axis the columns above and `<axis>_top40_unique`.

    The contrasts are bias and group. The ranking compares biased with neutral statements of the
    selection part.

    Raises:
        BadInputError: an axis lacks a label or a second group in one part, or has a third group.
    """
    columns: dict[str, np.ndarray] = {}
    frame = pd.DataFrame(
        [(row.axis, row.group, row.label, row.split) for row in statements],
        columns=["axis", "group", "label", "split"],
    )
    for axis in sorted(set(frame["axis"])):
        groups = sorted(set(frame["group"][frame["axis"] == axis]))
        if len(groups) != 2:
            raise BadInputError(
                f"axis {axis!r} has the groups {groups}; two are needed to compare them"
            )
        for part, splits in PARTS.items():
            rows = (frame["axis"] == axis) & frame["split"].isin(splits)
            sides = {
                "bias": [rows & (frame["label"] == label) for label in ("biased", "neutral")],
                "group": [rows & (frame["group"] == group) for group in groups],
            }
            for name, masks in sides.items():
                first, second = (activations[side.to_numpy()] for side in masks)
                columns |= _columns(axis, name, part, first, second)
                if (name, part) == ("bias", "selection"):
                    columns[f"{axis}_top40_unique"] = top_unique(first, second)
    return pd.DataFrame(columns)


def _columns(
    axis: str,
    name: str,
    part: str,
    first: Float[np.ndarray, "first latents"],
    second: Float[np.ndarray, "second latents"],
) -> dict[str, Float[np.ndarray, " latents"]]:
    if min(len(first), len(second)) < 2:
        raise BadInputError(
            f"axis {axis!r}, {part} ({' and '.join(PARTS[part])}), contrast {name}: "
            f"{len(first)} against {len(second)} texts; at least 2 are needed on either side: "
            "synthesize more (dataset.quads_per_axis)"
        )
    return {
        f"{axis}_{name}_{measure}_{part}": values
        for measure, values in contrast(first, second).items()
    }
