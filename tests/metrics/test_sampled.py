"""Which groups sampled text names, and what that says of the items."""

import numpy as np
import pytest

from evenkeel.datasets.records import Prompt
from evenkeel.metrics.sampled import (
    SampledMeasures,
    named_group,
    per_item,
    sampled_gap,
    sampled_slope,
)
from tests.evaluation.samples import make_four_groups, make_prompts

PROMPTS = [prompt for prompt in make_prompts() if prompt.split == "test"]
FOUR = [prompt for prompt in make_four_groups() if prompt.split == "test"]


def test_every_item_is_asked_as_often_with_templates_in_turn() -> None:
    chosen = per_item(PROMPTS, 3)
    assert [prompt.item for prompt in chosen[::3]] == ["pilot", "teacher", "cook", "judge"]
    assert {prompt.kind for prompt in chosen} == {"stereotypical"}
    for place in range(4):
        templates = [prompt.template for prompt in chosen[3 * place : 3 * place + 3]]
        assert templates[0] == templates[2] != templates[1]
    assert chosen[0].template != chosen[3].template
    assert per_item(PROMPTS, 0) == []


@pytest.mark.parametrize(
    ("text", "group"),
    [
        (" she was late, and he", "female"),
        (" the hero was late because HE slept", "male"),
        (" her own car", "female"),
        (" her car", None),
        (" a shed", None),
        ("", None),
    ],
)
def test_the_first_whole_word_of_a_group_counts(text: str, group: str | None) -> None:
    assert named_group(text, PROMPTS[0].continuations) == group


def texts_of(prompts: list[Prompt], seed: int = 0, strength: float = 1.0) -> list[str]:
    """A continuation of each prompt, drawn from its reference, or half and half."""
    generator = np.random.default_rng(seed)
    texts = []
    for prompt in prompts:
        assert prompt.reference is not None
        rates = np.array([prompt.reference[group] for group in prompt.groups])
        rates = strength * rates + (1 - strength) / len(rates)
        group = prompt.groups[int(generator.choice(len(rates), p=rates))]
        texts.append(f" slowly{prompt.continuations[group][0]} went")
    return texts


def test_text_drawn_from_the_rates_has_a_slope_of_one_and_fair_text_of_zero() -> None:
    prompts = per_item(PROMPTS, 400)
    for strength in (1.0, 0.5, 0.0):
        found = SampledMeasures(prompts, 200, 0).of(texts_of(prompts, strength=strength))
        slope = found["sampled_slope"]
        assert slope.value == pytest.approx(strength, abs=0.12)
        assert slope.low is not None
        assert slope.low <= slope.value  # type: ignore[operator]
        assert found["sampled_naming_share"].value == 1
        assert found["sampled_gap"].value is None, "no item of these is held against a group"


def test_few_texts_an_item_do_not_bias_the_slope() -> None:
    prompts = per_item(PROMPTS, 3)
    measures = SampledMeasures(prompts, 0, 0)
    slopes = [measures.of(texts_of(prompts, seed))["sampled_slope"].value for seed in range(400)]
    assert np.mean(np.array(slopes, dtype=float)) == pytest.approx(1, abs=0.15)


def test_texts_that_name_no_group_are_no_opinion() -> None:
    prompts = per_item(PROMPTS, 4)
    texts = texts_of(prompts)
    silent = [text if row % 4 else " it rained" for row, text in enumerate(texts)]
    spoken = [text for row, text in enumerate(texts) if row % 4]
    kept = [prompt for row, prompt in enumerate(prompts) if row % 4]
    measures = SampledMeasures(prompts, 0, 0).of(silent)
    assert measures["sampled_naming_share"].value == 0.75
    expected = SampledMeasures(kept, 0, 0).of(spoken)["sampled_slope"].value
    assert measures["sampled_slope"].value == pytest.approx(expected)
    nothing = SampledMeasures(prompts, 100, 0).of([" it rained"] * len(prompts))
    assert nothing["sampled_slope"].value is None
    assert nothing["sampled_naming_share"].value == 0
    assert SampledMeasures([], 100, 0).of([]) == {}


def test_the_gap_is_one_where_every_text_names_the_group_of_the_stereotype() -> None:
    prompts = per_item(FOUR, 2)
    assert all(prompt.held_against for prompt in prompts)
    texts = [f" a{prompt.continuations[str(prompt.held_against)][0]}" for prompt in prompts]
    assert SampledMeasures(prompts, 0, 0).of(texts)["sampled_gap"].value == pytest.approx(1)
    same = [f" a{prompt.continuations[prompt.groups[0]][0]}" for prompt in prompts]
    assert SampledMeasures(prompts, 0, 0).of(same)["sampled_gap"].value == pytest.approx(0)


def test_of_two_groups_the_gap_is_a_difference_of_shares() -> None:
    counts = np.array([[3.0, 1.0], [2.0, 2.0], [1.0, 3.0]])
    held = np.array([0, 0, 1])
    assert sampled_gap(counts, held) == pytest.approx(5 / 8 - 1 / 4)
    assert np.isnan(sampled_gap(counts[:2], held[:2]))


def test_the_slope_is_weighted_least_squares_with_an_intercept_a_group() -> None:
    generator = np.random.default_rng(3)
    rates = generator.dirichlet(np.ones(3), size=6)
    counts = generator.integers(1, 9, (6, 3)).astype(float)
    weights = counts.sum(axis=1)
    rows = np.concatenate([np.eye(3)[None].repeat(6, 0).reshape(18, 3), rates.reshape(18, 1)], 1)
    shares = (counts / weights[:, None]).reshape(18)
    root = np.sqrt(weights.repeat(3))
    theirs = np.linalg.lstsq(rows * root[:, None], shares * root, rcond=None)[0][3]
    assert sampled_slope(counts, rates) == pytest.approx(theirs)
