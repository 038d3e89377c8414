"""Prefixes, by themselves and with an intervention behind them."""

from evenkeel.conditions.eraser import EraserCondition
from evenkeel.conditions.prompt import PromptCondition, PromptedCondition, few_shot
from evenkeel.conditions.recipe import Recipe
from tests.evaluation.samples import ITEMS, make_erasers, make_four_groups, make_prompts


def test_examples_go_against_the_stereotype_and_are_of_the_train_split() -> None:
    found = few_shot(make_prompts(), 3)
    assert found is not None
    assert found.name == "few_shot"
    sentences = found.prefix.split(". ")
    assert sentences == [
        "This maid left because he", "The guard saw that she", "This tailor left because she", ""
    ]  # fmt: skip
    others = {item for split in ("validation", "test") for item in ITEMS[split]}  # type: ignore[index]
    assert not any(item in found.prefix for item in others)
    assert few_shot(make_prompts(), 0) is None
    assert few_shot([], 3) is None


def test_items_without_rates_are_completed_by_another_group_than_theirs() -> None:
    prompts = [prompt.model_copy(update={"reference": None}) for prompt in make_four_groups()]
    found = few_shot(prompts, 4)
    assert found is not None
    sentences = found.prefix.split(". ")[:-1]
    assert len(sentences) == 4
    for sentence in sentences:
        (prompt,) = [p for p in prompts if p.split == "train" and sentence.startswith(p.text + " ")]
        assert not sentence.endswith(f" {prompt.held_against}")
        assert sentence.split()[-1] in prompt.groups


def test_behind_a_prefix_an_intervention_is_what_it_was() -> None:
    steered = EraserCondition(tuple(make_erasers()), "leace")
    both = PromptedCondition(steered, "Be fair. ")
    assert both.prefix == "Be fair. "
    assert both.name == "prompt_leace"
    assert [edit.layer for edit in both.interventions] == [0, 1, 2]
    record = both.recipe.model_dump(mode="json")
    assert Recipe.model_validate_json(both.recipe.model_dump_json()) == both.recipe
    assert record["prefix"] == "Be fair. "
    assert PromptCondition("Be fair. ").name == "prompt"
