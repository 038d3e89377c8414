"""Which features go with an axis of bias, by the selection part of the texts."""

from collections.abc import Sequence
from typing import get_args

import pandas as pd

from evenkeel.errors import BadInputError
from evenkeel.params import Axis
from evenkeel.sae.association import contrasts_of


def associated_features(table: pd.DataFrame, axis: str, max_q: float, top: int) -> list[int]:
    """The `top` features of an axis, the strongest first; fewer if fewer are significant.

    A contrast counts if its q-value is below `max_q`; a feature's strength is the largest distance
    of its AUROCs from one half. Of several groups, that with the smallest q-value stands for all.

    Args:
        table: one row a feature, as extract_features writes it.

    Raises:
        BadInputError: the table has no associations with the axis.
    """
    if f"{axis}_group_q_selection" not in table:
        raise BadInputError(
            f"the table of features has no {axis}_group_q_selection column; run extract_features "
            "on statements of this axis"
        )
    contrasts = contrasts_of(table, axis)
    strength = pd.concat([_strength(table, axis, c, max_q) for c in contrasts], axis=1).max(axis=1)
    ranked = table[["feature"]].assign(strength=strength)[strength > 0]
    # Ties go to the lower number, so that the selection does not depend on the rows' order.
    ranked = ranked.sort_values(["strength", "feature"], ascending=[False, True])
    return [int(feature) for feature in ranked["feature"].head(top)]


def select_features(
    table: pd.DataFrame, max_q: float, top: int, listed: Sequence[int]
) -> dict[int, tuple[Axis, ...]]:
    """The `top` features of each axis by association, and those listed; with their axes.

    Args: as of `associated_features`, and `check_listed`.

    Returns:
        Axes by feature, ascending by feature.

    Raises:
        BadInputError: a listed feature is not in the table, or the table has no associations.
    """
    check_listed(table, listed, "interpretation.features")
    axes = [axis for axis in get_args(Axis) if f"{axis}_group_q_selection" in table]
    if not axes:
        raise BadInputError(
            "the table of features has no <axis>_group_q_selection column; run extract_features"
        )
    found: dict[int, list[Axis]] = {feature: [] for feature in listed}
    for axis in axes:
        for feature in associated_features(table, axis, max_q, top):
            found.setdefault(feature, []).append(axis)
    return {feature: tuple(found[feature]) for feature in sorted(found)}


def check_listed(table: pd.DataFrame, listed: Sequence[int], where: str) -> None:
    """Refuse features that are not in the table; `where` is the parameter that lists them.

    Raises:
        BadInputError: one is not.
    """
    unknown = sorted(set(listed) - set(table["feature"]))
    if unknown:
        raise BadInputError(
            f"{where} lists {unknown}, but the dictionary's features go from "
            f"{table['feature'].min()} to {table['feature'].max()}"
        )


def _strength(table: pd.DataFrame, axis: str, contrast: str, max_q: float) -> pd.Series:
    """Distance of the AUROC from one half; 0 where it is not significant."""
    distance = (table[f"{axis}_{contrast}_auroc_selection"] - 0.5).abs()
    return distance.where(table[f"{axis}_{contrast}_q_selection"] < max_q, 0.0)
