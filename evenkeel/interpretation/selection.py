"""Which features are worth interpreting: those that an axis of bias is associated with."""

from collections import defaultdict
from collections.abc import Sequence
from typing import get_args

import pandas as pd

from evenkeel.errors import BadInputError
from evenkeel.interpretation.evidence import Evidence, gather_evidence
from evenkeel.params import Axis, InterpretationParams
from evenkeel.sae.association import CONTRASTS
from evenkeel.sae.results import Context


def select_features(
    table: pd.DataFrame, max_q: float, top: int, listed: Sequence[int]
) -> dict[int, tuple[Axis, ...]]:
    """The `top` features of each axis by association, and those listed; with their axes.

    Associations are those of the selection part: of biased with neutral statements, and of one
    group with the other. One counts if its q-value is below `max_q`; its strength is the distance
    of the AUROC from one half.

    Args:
        table: one row a feature, as extract_features writes it.

    Returns:
        Axes by feature, ascending by feature.

    Raises:
        BadInputError: a listed feature is not in the table, or the table has no associations.
    """
    unknown = sorted(set(listed) - set(table["feature"]))
    if unknown:
        raise BadInputError(
            f"interpretation.features lists {unknown}, but the dictionary's features go from "
            f"{table['feature'].min()} to {table['feature'].max()}"
        )
    found: dict[int, list[Axis]] = {feature: [] for feature in listed}
    axes = [axis for axis in get_args(Axis) if f"{axis}_group_q_selection" in table]
    if not axes:
        raise BadInputError(
            "the table of features has no <axis>_group_q_selection column; run extract_features"
        )
    for axis in axes:
        strength = pd.concat([_strength(table, axis, c, max_q) for c in CONTRASTS], axis=1).max(
            axis=1
        )
        ranked = table[["feature"]].assign(strength=strength)[strength > 0]
        # Ties go to the lower number, so that the selection does not depend on the rows' order.
        ranked = ranked.sort_values(["strength", "feature"], ascending=[False, True])
        for feature in ranked["feature"].head(top):
            found.setdefault(int(feature), []).append(axis)
    return {feature: tuple(found[feature]) for feature in sorted(found)}


def _strength(table: pd.DataFrame, axis: Axis, contrast: str, max_q: float) -> pd.Series:
    """Distance of the AUROC from one half; 0 where it is not significant."""
    distance = (table[f"{axis}_{contrast}_auroc_selection"] - 0.5).abs()
    return distance.where(table[f"{axis}_{contrast}_q_selection"] < max_q, 0.0)


def promoted_tokens(table: pd.DataFrame) -> dict[int, tuple[str, ...]]:
    """For each feature, the tokens whose logits it raises most, the strongest first."""
    words = zip(table["feature"], table["top_activated_words"], strict=True)
    return {int(feature): tuple(map(str, tokens)) for feature, tokens in words}


def select_evidence(
    table: pd.DataFrame, contexts: Sequence[Context], params: InterpretationParams, seed: int
) -> list[Evidence]:
    """What is known of each selected feature, ascending by feature.

    Args:
        table: as `select_features` takes it, with `top_activated_words`.
        contexts: of any features; a selected one without contexts has evidence without contexts.
        params: what to select, and how many contexts to show and to hold out.
        seed: of the tests' orders.

    Raises:
        BadInputError: as `select_features` does.
    """
    selected = select_features(table, params.max_q, params.top_features, params.features)
    promoted = promoted_tokens(table)
    by_feature = defaultdict(list)
    for context in contexts:
        by_feature[context.feature].append(context)
    return [
        gather_evidence(
            feature,
            axes,
            promoted[feature],
            by_feature[feature],
            shown=params.shown_contexts,
            heldout=params.heldout_contexts,
            seed=seed,
        )
        for feature, axes in selected.items()
    ]
