"""What the explainer sees and what the judge is tested on never overlap."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.errors import BadInputError
from evenkeel.interpretation.evidence import gather_evidence, text_of
from evenkeel.interpretation.selection import select_features
from tests.interpretation.cases import context, contexts_on


@settings(deadline=None)
@given(
    top=st.integers(0, 30),
    silent=st.integers(0, 30),
    texts=st.integers(1, 40),
    shown=st.integers(1, 12),
    heldout=st.integers(1, 12),
)
def test_the_test_is_held_out_and_balanced(
    top: int, silent: int, texts: int, shown: int, heldout: int
) -> None:
    rows = [context(0, "top", r, [f"t{r % texts}"], lambda w, i: True) for r in range(top)]
    rows += [context(0, "silent", r, [f"s{r % texts}"], lambda w, i: False) for r in range(silent)]
    evidence = gather_evidence(0, (), (), rows, shown=shown, heldout=heldout, seed=0)
    seen = {text_of(c) for c in (*evidence.shown, *evidence.contrast)}
    tested = [text_of(c) for c in evidence.test]
    assert not seen & set(tested)
    assert len(set(tested)) == len(tested)
    kinds = [c.kind for c in evidence.test]
    assert kinds.count("top") == kinds.count("silent") <= heldout
    assert len(evidence.shown) <= shown
    assert bool(evidence.shown) == bool(top), "what there is little of is shown, not held out"


def test_the_order_of_the_test_is_shuffled_and_seeded() -> None:
    def order(seed: int, feature: int = 1) -> list[str]:
        rows = contexts_on(feature, ["queen"])
        evidence = gather_evidence(feature, (), (), rows, shown=9, heldout=9, seed=seed)
        return [c.kind for c in evidence.test]

    assert order(0) == order(0)
    assert len({tuple(order(seed)) for seed in range(5)}) == 5
    assert order(0, feature=1) != order(0, feature=2)


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


def test_a_listed_feature_must_exist() -> None:
    with pytest.raises(BadInputError, match=r"lists \[7\], but .* go from 0 to 4"):
        select_features(TABLE, 0.05, 1, [7, 1])


def test_a_table_without_associations_is_refused() -> None:
    with pytest.raises(
        BadInputError, match="no <axis>_group_q_selection column; run extract_features"
    ):
        select_features(TABLE[["feature"]], 0.05, 1, [])
