"""What is known of the features that are worth interpreting: those of the axes, and any listed."""

from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from evenkeel.interpretation.evidence import Evidence, gather_evidence
from evenkeel.params import InterpretationParams
from evenkeel.sae.results import Context
from evenkeel.sae.selection import select_features


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
