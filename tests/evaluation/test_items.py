"""Item by item: log-odds of a group against the others, and its interval over templates."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from evenkeel.evaluation.items import item_rows
from evenkeel.metrics.measures import ItemMeasures
from evenkeel.scoring.prompt_set import PromptSet, Readings
from tests.evaluation.samples import make_prompts


@pytest.fixture
def prompt_set(tiny_gpt2: Any, tokenizer: Any) -> PromptSet:
    test = [prompt for prompt in make_prompts() if prompt.split == "test"]
    return PromptSet.of(tiny_gpt2, tokenizer, test, [])


def test_two_groups_have_one_row_of_log_odds(prompt_set: PromptSet) -> None:
    measures = ItemMeasures(prompt_set, "group_given_item", 0, 0)
    log_probs = np.log(np.random.default_rng(0).uniform(0.1, 0.9, (len(measures.prompts), 2)))
    baseline = Readings(log_probs, np.zeros((0, 2)), np.zeros(0))
    steered = replace(baseline, stereotypical=log_probs / 2)
    rows = item_rows(measures, prompt_set.groups, baseline, steered)
    assert [row["reference"] for row in rows] == sorted({row["reference"] for row in rows})
    assert {row["group"] for row in rows} == {prompt_set.groups[0]}
    for row in rows:
        of_item = [p.item == row["item"] for p in measures.prompts]
        odds = log_probs[of_item, 0] - log_probs[of_item, 1]
        reach = stats.t.ppf(0.975, 1) * stats.sem(odds)
        low, high = odds.mean() - reach, odds.mean() + reach
        assert row["baseline"] == pytest.approx(odds.mean(), abs=1e-4)
        assert [row["baseline_low"], row["baseline_high"]] == pytest.approx([low, high], abs=1e-4)
        assert row["steered"] == pytest.approx(odds.mean() / 2, abs=1e-4)


def test_nothing_is_told_of_an_intervention_that_there_is_not(prompt_set: PromptSet) -> None:
    measures = ItemMeasures(prompt_set, "group_given_item", 0, 0)
    zeros = Readings(np.zeros((len(measures.prompts), 2)), np.zeros((0, 2)), np.zeros(0))
    rows = item_rows(measures, prompt_set.groups, zeros, None)
    assert all(row["steered"] is None for row in rows)
    assert all(row["baseline"] == 0 for row in rows)
