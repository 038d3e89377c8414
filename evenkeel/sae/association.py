"""How each latent is associated with the axes: tests of all latents at once, on texts' activations.

Columns are named `<axis>_<contrast>[_<group>]_<measure>_<part>`:

contrast  bias: biased against neutral statements; group: statements about a group against those
          about the others; definition: definitional prompts (a mother, a king) by the group that is
          right
group     on axes of more than two groups, the group that is compared with the others; of two
          groups the first is compared with the second, in alphabetical order, and not named
measure   auroc: probability that a random text of the first side activates the latent more than
          one of the second (ties count half); smd: standardized mean difference, in pooled standard
          deviations; q: Mann-Whitney p, Benjamini-Hochberg corrected over all latents and groups
part      selection: train and validation texts, to choose features by; test: to report

On axes of more than two groups, the columns without a group repeat those of one group: for each
latent the one with the smallest q on the selection part, which `<axis>_<contrast>_strongest` names.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import stats

from evenkeel.datasets.records import Prompt, Statement
from evenkeel.errors import BadInputError

CONTRASTS = ("bias", "group", "definition")
MEASURES = ("auroc", "smd", "q")
PARTS = {"selection": ("train", "validation"), "test": ("test",)}
_COLUMNS_AT_ONCE = 4096


def contrast(
    first: Float[np.ndarray, "first latents"], second: Float[np.ndarray, "second latents"]
) -> dict[str, Float[np.ndarray, " latents"]]:
    """auroc, smd and p of every latent; 0.5, 0 and 1 for one that is the same on all texts."""
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
        "p": p,
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
        BadInputError: a group has fewer than two prompts in one part.
    """
    frame = pd.DataFrame(
        [(row.axis, row.expected, row.split) for row in prompts],
        columns=["axis", "group", "split"],
    )
    columns: dict[str, np.ndarray] = {}
    for axis, own in frame.groupby("axis"):
        groups = sorted({group for row in prompts if row.axis == axis for group in row.groups})
        columns |= _between_groups(str(axis), "definition", own, groups, activations)
    return pd.DataFrame(columns, index=range(activations.shape[1]))


def associations(
    statements: Sequence[Statement], activations: Float[np.ndarray, "statements latents"]
) -> pd.DataFrame:
    """One row a latent; for each axis the columns above and `<axis>_top40_unique`.

    The contrasts are bias and group. The ranking compares biased with neutral statements of the
    selection part.

    Raises:
        BadInputError: an axis has one group only, or a label or a group has fewer than two
            statements in one part.
    """
    frame = pd.DataFrame(
        [(row.axis, row.group, row.label, row.split) for row in statements],
        columns=["axis", "group", "label", "split"],
    )
    columns: dict[str, np.ndarray] = {}
    for axis, own in frame.groupby("axis"):
        groups = sorted(set(own["group"]))
        if len(groups) < 2:
            raise BadInputError(
                f"axis {axis!r} has the groups {groups}; two are needed to compare them"
            )
        columns |= _by_part(str(axis), "bias", own, "label", ["biased"], activations)
        chosen = own[own["split"].isin(PARTS["selection"])]
        biased, neutral = (
            activations[chosen.index[chosen["label"] == label]] for label in ("biased", "neutral")
        )
        columns[f"{axis}_top40_unique"] = top_unique(biased, neutral)
        columns |= _between_groups(str(axis), "group", own, groups, activations)
    return pd.DataFrame(columns)


def _between_groups(
    axis: str,
    contrast_name: str,
    texts: pd.DataFrame,
    groups: Sequence[str],
    activations: Float[np.ndarray, "texts latents"],
) -> dict[str, np.ndarray]:
    """Columns of all texts by their group, and of the strongest group where there are many."""
    if len(groups) == 2:
        return _by_part(axis, contrast_name, texts, "group", groups[:1], activations)
    columns = _by_part(axis, contrast_name, texts, "group", groups, activations)
    name = f"{axis}_{contrast_name}"

    def by_group(measure: str, part: str) -> Float[np.ndarray, "groups latents"]:
        return np.array([columns[f"{name}_{group}_{measure}_{part}"] for group in groups])

    # Of equal q-values, the one whose AUROC is further from one half.
    distance = np.abs(by_group("auroc", "selection") - 0.5)
    strongest = np.lexsort((-distance, by_group("q", "selection")), axis=0)[:1]
    columns[f"{name}_strongest"] = np.array(groups, dtype=object)[strongest[0]]
    for part in PARTS:
        for measure in MEASURES:
            own = np.take_along_axis(by_group(measure, part), strongest, axis=0)
            columns[f"{name}_{measure}_{part}"] = own[0]
    return columns


def _by_part(
    axis: str,
    contrast_name: str,
    texts: pd.DataFrame,
    column: str,
    values: Sequence[str],
    activations: Float[np.ndarray, "texts latents"],
) -> dict[str, np.ndarray]:
    """Columns of each part: texts of each value against all others.

    Args:
        axis: what the columns' names begin with.
        contrast_name: what they go on with; then follows the value, if there are several.
        texts: of this axis, by row of `activations`: their split, and what they are compared by.
        column: what they are compared by.
        values: of that column; the q-values are corrected over all of them.
        activations: of these texts, among others.

    Raises:
        BadInputError: there are fewer than two texts on a side in one part.
    """
    columns: dict[str, np.ndarray] = {}
    for part, splits in PARTS.items():
        own = texts[texts["split"].isin(splits)]
        found = []
        for value in values:
            is_first = (own[column] == value).to_numpy()
            first, second = own.index[is_first], own.index[~is_first]
            if min(len(first), len(second)) < 2:
                raise BadInputError(
                    f"axis {axis!r}, {part} ({' and '.join(splits)}), contrast {contrast_name}: "
                    f"{len(first)} {value} against {len(second)} other texts; at least 2 are "
                    "needed on either side: synthesize more (dataset.quads_per_axis)"
                )
            found.append(contrast(activations[first], activations[second]))
        p = np.stack([measures.pop("p") for measures in found])
        q = stats.false_discovery_control(p, axis=None, method="bh").reshape(p.shape)
        for value, measures, own_q in zip(values, found, q, strict=True):
            name = f"{axis}_{contrast_name}" + (f"_{value}" if len(values) > 1 else "")
            columns |= {
                f"{name}_{measure}_{part}": numbers
                for measure, numbers in (measures | {"q": own_q}).items()
            }
    return columns
