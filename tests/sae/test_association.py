"""Associations, against one latent at a time by other routes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from evenkeel.datasets.records import Prompt, Statement
from evenkeel.errors import BadInputError
from evenkeel.sae import association as module
from evenkeel.sae.association import (
    associations,
    contrast,
    contrasts_of,
    definitions,
    top_unique,
)


def rows(rng: np.random.Generator, count: int, latents: int) -> np.ndarray:
    """Activations with many ties at 0; the last latent never fires."""
    found = np.maximum(rng.normal(size=(count, latents)), 0).round(1).astype(np.float32)
    found[:, -1] = 0
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(2, 7), st.integers(0, 1000))
def test_contrasts_agree_with_one_latent_at_a_time(n: int, m: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rows(rng, n, d) + 0.3 * (rng.random(d) > 0.5), rows(rng, m, d)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_COLUMNS_AT_ONCE", 3)
        found = contrast(first, second)
    labels = [1] * n + [0] * m
    both = np.concatenate([first, second])
    ps = []
    for latent in range(d):
        assert found["auroc"][latent] == pytest.approx(roc_auc_score(labels, both[:, latent]))
        same = np.ptp(both[:, latent]) == 0
        p = (
            1.0
            if same
            else stats.mannwhitneyu(
                first[:, latent].astype(float), second[:, latent].astype(float), method="asymptotic"
            ).pvalue
        )
        ps.append(p)
        a, b = first[:, latent].astype(float), second[:, latent].astype(float)
        variance = ((n - 1) * a.var(ddof=1) + (m - 1) * b.var(ddof=1)) / (n + m - 2)
        d_value = (a.mean() - b.mean()) / np.sqrt(variance) if variance > 1e-12 else None
        if d_value is not None:
            assert found["smd"][latent] == pytest.approx(d_value, rel=1e-4, abs=1e-4)
    np.testing.assert_allclose(found["q"], stats.false_discovery_control(ps), rtol=1e-6)


def test_a_latent_that_never_fires_is_at_chance() -> None:
    found = contrast(np.zeros((5, 1), np.float32), np.zeros((4, 1), np.float32))
    assert {name: values[0] for name, values in found.items()} == {"auroc": 0.5, "smd": 0, "q": 1}


def test_the_plain_ranking_drops_what_both_sides_have() -> None:
    positive = np.array([[9.0, 5, 1, 0, 0], [9, 5, 1, 0, 0]])
    negative = np.array([[9.0, 0, 0, 3, 0], [9, 0, 0, 3, 0]])
    assert top_unique(positive, negative, k=2).tolist() == [False, True, False, False, False]
    # With room for all, latents that do not fire still are in neither list.
    assert top_unique(positive, negative, k=5).tolist() == [False, True, True, False, False]


def statements() -> list[Statement]:
    found = []
    for split in ("train", "validation", "test"):
        for number in range(16):
            group, label = ("men", "women")[number % 2], ("biased", "neutral")[number // 2 % 2]
            found.append(
                Statement(
                    id=f"{split}{number}",
                    axis="gender",
                    group=group,
                    label=label,
                    pair="p",
                    quad="q",
                    template="t",
                    terms=("a",),
                    split=split,
                    text="x",
                )
            )
    return found


def test_columns_keep_selection_and_test_apart() -> None:
    rng = np.random.default_rng(0)
    rows_ = statements()
    activations = rng.random((len(rows_), 3)).astype(np.float32)
    for number, row in enumerate(rows_):
        activations[number, 0] += 5 * (row.group == "men")
        activations[number, 1] += 5 * (row.label == "biased") * (row.split != "test")
    table = associations(rows_, activations)
    assert table["gender_group_auroc_selection"][0] == 1
    assert table["gender_group_auroc_test"][0] == 1
    assert table["gender_bias_auroc_selection"][1] == 1
    assert table["gender_bias_auroc_test"][1] < 0.9
    assert table["gender_group_q_test"][0] < 0.01 < table["gender_group_q_test"][2]
    assert table["gender_top40_unique"].dtype == bool
    assert len(table.columns) == 2 * 3 * 2 + 1


def definitional_prompts() -> list[Prompt]:
    return [
        Prompt(
            id=f"{split}{number}",
            axis="gender",
            kind="definitional",
            template="t",
            term="a",
            split=split,
            text="x",
            expected="female" if number % 2 else "male",
        )
        for split in ("train", "validation", "test")
        for number in range(16)
    ]


def test_definitions_are_female_against_male_prompts_of_each_part() -> None:
    prompts = definitional_prompts()
    activations = np.random.default_rng(0).random((len(prompts), 3)).astype(np.float32)
    for number, row in enumerate(prompts):
        activations[number, 0] += 5 * (row.expected == "female")
        activations[number, 1] += 5 * (row.expected == "male") * (row.split == "validation")
    table = definitions(prompts, activations)
    assert table["gender_definition_auroc_selection"][0] == 1
    assert table["gender_definition_auroc_test"][0] == 1
    assert table["gender_definition_auroc_selection"][1] < 0.5
    assert table["gender_definition_q_test"][0] < 0.01 < table["gender_definition_q_test"][2]
    assert contrasts_of(table, "gender") == ["definition"]
    assert contrasts_of(table, "age") == []
    assert definitions([], activations[:0]).shape == (3, 0)
    with pytest.raises(BadInputError, match="contrast definition: 0 against 16 texts; at least 2"):
        definitions([row for row in prompts if row.expected == "male"], activations[:24])


def test_sides_that_are_missing_are_refused() -> None:
    rows_ = statements()
    activations = np.zeros((len(rows_), 2), np.float32)
    one = [row.model_copy(update={"group": "men"}) for row in rows_]
    with pytest.raises(BadInputError, match=r"axis 'gender' has the groups \['men'\]; two"):
        associations(one, activations)
    kept = [n for n, row in enumerate(rows_) if row.split != "test" or row.label == "biased"]
    with pytest.raises(BadInputError, match=r"test \(test\), contrast bias: 8 against 0"):
        associations([rows_[n] for n in kept], activations[kept])
