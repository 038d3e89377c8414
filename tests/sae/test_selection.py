"""Features are selected by what is significant on the selection part."""

import pandas as pd
import pytest

from evenkeel.errors import BadInputError
from evenkeel.sae.selection import associated_features, select_features

TABLE = pd.DataFrame(
    {
        "feature": [0, 1, 2, 3, 4],
        "gender_bias_auroc_selection": [0.5, 0.9, 0.6, 0.5, 0.99],
        "gender_group_auroc_selection": [0.01, 0.5, 0.5, 0.6, 0.5],
        "gender_bias_q_selection": [0.9, 0.001, 0.001, 0.9, 0.2],
        "gender_group_q_selection": [0.001, 0.9, 0.9, 0.001, 0.9],
        "age_bias_auroc_selection": [0.5, 0.2, 0.5, 0.5, 0.5],
        "age_group_auroc_selection": [0.5, 0.5, 0.5, 0.5, 0.5],
        "age_bias_q_selection": [0.9, 0.04, 0.9, 0.9, 0.9],
        "age_group_q_selection": [0.9] * 5,
    }
)


def test_the_strongest_significant_features_of_each_axis_are_selected() -> None:
    selected = select_features(TABLE, max_q=0.05, top=2, listed=[4])
    # 0 by its groups (0.01), 1 by its label; 4 is stronger but not significant: listed only.
    assert selected == {0: ("gender",), 1: ("gender", "age"), 4: ()}
    assert list(selected) == [0, 1, 4]
    assert select_features(TABLE.sample(frac=1, random_state=1), 0.05, 2, [4]) == selected


def test_ties_go_to_the_lower_number() -> None:
    # 2 and 3 are equally strong.
    assert 2 in select_features(TABLE.iloc[::-1], 0.05, 3, [])
    assert 3 not in select_features(TABLE.iloc[::-1], 0.05, 3, [])


def test_the_features_of_one_axis_come_strongest_first() -> None:
    assert associated_features(TABLE, "gender", 0.05, 5) == [0, 1, 2, 3]
    assert associated_features(TABLE, "gender", 0.05, 1) == [0]
    assert associated_features(TABLE, "age", 0.01, 5) == []
    with pytest.raises(BadInputError, match="no race_group_q_selection column; run extract"):
        associated_features(TABLE, "race", 0.05, 5)


def test_a_listed_feature_must_exist() -> None:
    with pytest.raises(BadInputError, match=r"lists \[7\], but .* go from 0 to 4"):
        select_features(TABLE, 0.05, 1, [7, 1])


def test_a_table_without_associations_is_refused() -> None:
    with pytest.raises(
        BadInputError, match="no <axis>_group_q_selection column; run extract_features"
    ):
        select_features(TABLE[["feature"]], 0.05, 1, [])
