"""What is known of the features that are worth interpreting: those of the axes, and any listed."""

import re
from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from evenkeel.interpretation.evidence import Evidence, gather_evidence
from evenkeel.interpretation.records import Interpretation
from evenkeel.params import InterpretationParams
from evenkeel.sae.results import Context
from evenkeel.sae.selection import select_features


def promoted_tokens(table: pd.DataFrame) -> dict[int, tuple[str, ...]]:
    """For each feature, the tokens whose logits it raises most, the strongest first."""
    words = zip(table["feature"], table["top_activated_words"], strict=True)
    return {int(feature): tuple(map(str, tokens)) for feature, tokens in words}


def features_about(table: pd.DataFrame, known: Sequence[Interpretation], keyword: str) -> list[int]:
    """Features that promote a word, or whose explanation speaks of it, ascending.

    Case does not matter. A word is promoted if it is, stripped of spaces, one of the feature's top
    tokens, and spoken of if it stands in the label or the explanation.
    """
    wanted = keyword.strip().casefold()
    features = {
        feature
        for feature, tokens in promoted_tokens(table).items()
        if wanted in (token.strip().casefold() for token in tokens)
    }
    for row in known:
        if row.explanation is not None:
            text = f"{row.explanation.label} {row.explanation.explanation}"
            if wanted in re.findall(r"\w+", text.casefold()):
                features.add(row.feature)
    return sorted(features)


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
