"""Associations, against one latent at a time by other routes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from evenkeel.datasets.records import Prompt, Statement
from evenkeel.errors import BadInputError
from evenkeel.params import SPLITS
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


@settings(max_examples=25)
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
    np.testing.assert_allclose(found["p"], ps, rtol=1e-6)


def test_a_latent_that_never_fires_is_at_chance() -> None:
    found = contrast(np.zeros((5, 1), np.float32), np.zeros((4, 1), np.float32))
    assert {name: values[0] for name, values in found.items()} == {"auroc": 0.5, "smd": 0, "p": 1}


def test_the_plain_ranking_drops_what_both_sides_have() -> None:
    positive = np.array([[9.0, 5, 1, 0, 0], [9, 5, 1, 0, 0]])
    negative = np.array([[9.0, 0, 0, 3, 0], [9, 0, 0, 3, 0]])
    assert top_unique(positive, negative, k=2).tolist() == [False, True, False, False, False]
    # With room for all, latents that do not fire still are in neither list.
    assert top_unique(positive, negative, k=5).tolist() == [False, True, True, False, False]


def statements(*groups: str, axis: str = "gender") -> list[Statement]:
    """Eight of each group in each split, half of them biased."""
    return [
        Statement(
            id=f"{split}{number}",
            axis=axis,
            group=groups[number % len(groups)],
            label=("biased", "neutral")[number // len(groups) % 2],
            pair="p",
            quad="q",
            template="t",
            terms=("a",),
            split=split,
            text="x",
        )
        for split in SPLITS
        for number in range(8 * len(groups))
    ]


def test_columns_keep_selection_and_test_apart() -> None:
    rng = np.random.default_rng(0)
    rows_ = statements("women", "men")
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


def definitional_prompts(axis: str, *groups: str) -> list[Prompt]:
    """Eight of each group in each split."""
    return [
        Prompt(
            id=f"{split}{number}",
            axis=axis,
            kind="definitional",
            template="t",
            item="a",
            split=split,
            text="x",
            continuations={group: (group,) for group in groups},
            expected=groups[number % len(groups)],
        )
        for split in SPLITS
        for number in range(8 * len(groups))
    ]


def test_definitions_compare_two_groups_of_each_part() -> None:
    prompts = definitional_prompts("age", "young", "old")
    activations = np.random.default_rng(0).random((len(prompts), 3)).astype(np.float32)
    for number, row in enumerate(prompts):
        activations[number, 0] += 5 * (row.expected == "old")
        activations[number, 1] += 5 * (row.expected == "young") * (row.split == "validation")
    table = definitions(prompts, activations)
    assert table["age_definition_auroc_selection"][0] == 1
    assert table["age_definition_auroc_test"][0] == 1
    assert table["age_definition_auroc_selection"][1] < 0.5
    assert table["age_definition_q_test"][0] < 0.01 < table["age_definition_q_test"][2]
    assert table.shape == (3, 2 * 3)
    assert contrasts_of(table, "age") == ["definition"]
    assert contrasts_of(table, "gender") == []
    assert definitions([], activations[:0]).shape == (3, 0)
    with pytest.raises(BadInputError, match="contrast definition: 0 old against 16 other texts"):
        definitions([row for row in prompts if row.expected == "young"], activations[:24])


RACES = ("Black", "white", "Asian", "Hispanic")


@pytest.mark.parametrize(
    ("contrast_name", "make", "rows_"),
    [
        ("group", associations, statements(*RACES, axis="race")),
        ("definition", definitions, definitional_prompts("race", *RACES)),
    ],
)
def test_each_of_several_groups_is_compared_with_the_others(
    contrast_name: str, make: Callable[..., pd.DataFrame], rows_: list[Any]
) -> None:
    rng = np.random.default_rng(0)
    group = np.array([getattr(row, "expected", None) or row.group for row in rows_])
    split = np.array([row.split for row in rows_])
    activations = rows(rng, len(rows_), 4)
    activations[:, 0] += 3 * (group == "white")
    activations[:, 1] -= 3 * (group == "Hispanic") * (split != "test")
    table = make(rows_, activations)
    name = f"race_{contrast_name}"
    for part, of_part in {"selection": split != "test", "test": split == "test"}.items():
        ps, aurocs = [], []
        for one in sorted(RACES):
            sides = [activations[of_part & (group == one)], activations[of_part & (group != one)]]
            measured = contrast(*sides)
            ps.append(measured["p"])
            aurocs.append(measured["auroc"])
            np.testing.assert_array_equal(table[f"{name}_{one}_auroc_{part}"], aurocs[-1])
            np.testing.assert_array_equal(table[f"{name}_{one}_smd_{part}"], measured["smd"])
        # Corrected over latents and groups together.
        qs = stats.false_discovery_control(np.concatenate(ps)).reshape(4, 4)
        found = [table[f"{name}_{one}_q_{part}"] for one in sorted(RACES)]
        np.testing.assert_allclose(found, qs)
        if part == "selection":
            smallest = qs.argmin(0)
        # What was chosen on the selection part is what the test part reports.
        latents = np.arange(4)
        np.testing.assert_array_equal(table[f"{name}_q_{part}"], np.array(found)[smallest, latents])
        np.testing.assert_array_equal(
            table[f"{name}_auroc_{part}"], np.array(aurocs)[smallest, latents]
        )
    assert table[f"{name}_strongest"].tolist()[:2] == ["white", "Hispanic"]
    assert table[f"{name}_auroc_selection"][0] > 0.95
    assert table[f"{name}_auroc_selection"][1] < 0.05
    assert table[f"{name}_strongest"][3] == "Asian", "of a latent that never fires, the first"
    assert contrasts_of(table, "race") == (["bias"] if contrast_name == "group" else []) + [
        contrast_name
    ]


def test_of_equal_q_values_the_auroc_further_from_one_half_is_the_strongest() -> None:
    """Many groups differ as little: Benjamini-Hochberg gives all of them the same q."""
    rows_ = statements("a", "b", "c", axis="race")
    activations = np.random.default_rng(0).random((len(rows_), 1)).astype(np.float32)
    table = associations(rows_, activations)
    q = [float(table[f"race_group_{group}_q_selection"][0]) for group in "abc"]
    aurocs = [float(table[f"race_group_{group}_auroc_selection"][0]) for group in "abc"]
    assert q[0] == q[1] == q[2]
    furthest = max("abc", key=lambda group: abs(aurocs["abc".index(group)] - 0.5))
    assert furthest != "a"
    assert table["race_group_strongest"][0] == furthest
    assert table["race_group_auroc_selection"][0] == aurocs["abc".index(furthest)]


def test_sides_that_are_missing_are_refused() -> None:
    rows_ = statements("women", "men")
    activations = np.zeros((len(rows_), 2), np.float32)
    one = [row.model_copy(update={"group": "men"}) for row in rows_]
    with pytest.raises(BadInputError, match=r"axis 'gender' has the groups \['men'\]; two"):
        associations(one, activations)
    kept = [n for n, row in enumerate(rows_) if row.split != "test" or row.label == "biased"]
    with pytest.raises(BadInputError, match=r"test \(test\), contrast bias: 8 biased against 0"):
        associations([rows_[n] for n in kept], activations[kept])
    many = statements(*RACES, axis="race")
    kept = [n for n, row in enumerate(many) if row.split != "test" or row.group != "Asian"]
    with pytest.raises(
        BadInputError, match=r"'race', test \(test\), contrast group: 0 Asian against 24 other"
    ):
        associations([many[n] for n in kept], np.zeros((len(kept), 2), np.float32))
