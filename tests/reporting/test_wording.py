"""Words say what the figures say."""

import pytest

from evenkeel.evaluation.result import EvaluationResult
from evenkeel.reporting.verdict import described, formatted, interval, measured, overall, verdict
from evenkeel.reporting.wording import (
    MAX_SHOWN,
    added,
    listed,
    marked,
    number,
    p_equals,
    p_value,
    percent,
    tokens,
    visible,
)
from evenkeel.statistics.estimate import Estimate
from tests.reporting.evaluations import RECIPE, estimates, evaluation, joint


def test_numbers() -> None:
    assert number(1.2345) == "1.23"
    assert number(-0.5, 1) == "−0.5"
    assert number(-0.001) == "0.00"
    assert number(1_268_342.1, 1) == "1.3 × 10⁶"
    assert number(-2.5e15, 0) == "−2 × 10¹⁵"
    assert number(None) == percent(None) == "unknown"
    assert percent(0.805) == "80\N{NO-BREAK SPACE}%"


def test_what_a_condition_costs_is_short() -> None:
    counts = (None, 0, 850, 12_345, 999_999, 2_004_000)
    shown = ["unknown", "–", "850", "12.3 k", "1000 k", "2 M"]
    assert [tokens(count).replace("\N{NO-BREAK SPACE}", " ") for count in counts] == shown
    costs = ((0.0, 0), (0.0012345, 0), (0.0, 9), (1.0, 14))
    assert [added(*cost).replace("\N{NO-BREAK SPACE}", " ") for cost in costs] == [
        "–", "0.12 %", "9 tokens", "100 % + 14 tokens"
    ]  # fmt: skip


def test_a_metric_has_the_digits_and_the_unit_of_the_registry() -> None:
    assert formatted("bias_reduction", 0.805) == "80\N{NO-BREAK SPACE}%"
    assert formatted("definitional_accuracy", 0.805) == "80.5\N{NO-BREAK SPACE}%"
    assert formatted("perplexity_ratio", 1.0041) == "×1.004"
    assert formatted("item_spread_item_given_group", -0.5) == "−0.50"
    assert formatted("kl_neutral", None) == "unknown"
    assert interval("bias_reduction", Estimate(0.8, 0.7, 0.9)) == "[70, 90]"
    assert interval("perplexity_ratio", Estimate(1.0, 0.9, 1.1)) == "[0.900, 1.100]"
    assert interval("perplexity_ratio", Estimate(1.0)) == ""


def test_parts_are_listed() -> None:
    assert [listed("abc"[:end]) for end in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "projecting out the normal of the linear probe at layer 3"),
        (
            {"layer": "all", "multiplier": 0.5},
            "projecting out 50\N{NO-BREAK SPACE}% of the normal of the linear probe at all layers",
        ),
        (
            {"action": "add", "multiplier": -0.25},
            "adding the normal of the linear probe at layer 3, with a multiplier of −0.25",
        ),
        (
            {"action": "mean_ablate", "multiplier": 1.1},
            "to the groups’ midpoint, 110\N{NO-BREAK SPACE}% of the way",
        ),
        (
            {"action": "scale", "multiplier": 0.125, "features": (16, 87)},
            "scaling SAE features 16, 87 by 0.125 at layer 3",
        ),
        (
            {"action": "clamp", "multiplier": 0.0, "features": (16,)},
            "clamping SAE features 16 to 0.00 at layer 3",
        ),
        ({"gate": "probe"}, "at layer 3, gated by a linear probe"),
        ({"method": "other"}, "projecting out the “other” vector"),
        ({"prefix": "Be fair. ", "action": None}, "putting “Be fair.” before every prompt"),
        ({"prefix": "Be fair. "}, "before every prompt, and projecting out the normal"),
    ],
)
def test_conditions_are_described(changes: dict[str, object], words: str) -> None:
    assert words in described(RECIPE.model_copy(update=changes))


def with_selected(**measures: Estimate) -> EvaluationResult:
    """The evaluation with other metrics of the selected intervention."""
    found = evaluation()
    assert found.selected is not None
    selected = found.selected.model_copy(update={"measures": found.selected.measures | measures})
    return found.model_copy(update={"selected": selected})


def test_the_verdict_has_three_sentences_with_their_figures() -> None:
    bias, steering, knowledge = verdict(evaluation())
    assert "A bias was found: on 3 held-out items, the model’s log-odds of female" in bias
    assert "1.50 [1.40, 1.60] nats" in bias
    assert "0.97 [0.87, 1.07]" in bias
    assert "removes 80\N{NO-BREAK SPACE}% [70, 90] of that spread" in steering
    assert "leaves mean log-odds of 0.20 [0.10, 0.30] (0.20 before)" in steering
    assert "multiplies perplexity by 1.004 [0.904, 1.104]" in steering
    assert "right on 90.0\N{NO-BREAK SPACE}% [80.0, 100.0] of definitional prompts" in knowledge
    assert "95.0\N{NO-BREAK SPACE}% [85.0, 105.0] before" in knowledge


def test_of_more_than_two_groups_each_is_compared_with_the_others() -> None:
    bias = verdict(evaluation("race"))[0]
    assert "log-odds of each of 4 groups against the others" in bias
    assert "favour the group that an item is held against by 0.60 [0.50, 0.70] nats" in bias


@pytest.mark.parametrize(
    ("change", "margin", "words"),
    [
        ((-0.2, -0.1), (0.1, 0.3), "was damaged"),
        ((-0.1, 0.0), (0.6, 0.8), "was kept, but weakened"),
        ((-0.1, 0.0), (0.9, 1.1), "was kept:"),
        ((None, None), (None, None), "cannot be compared"),
    ],
)
def test_lost_knowledge_is_called_so(
    change: tuple[float | None, float | None],
    margin: tuple[float | None, float | None],
    words: str,
) -> None:
    found = with_selected(
        definitional_accuracy_change=Estimate(-0.1, *change),
        definitional_auroc_change=Estimate(-0.1, *change),
        definitional_margin_ratio=Estimate(0.7, *margin),
    )
    assert words in verdict(found)[2]


@pytest.mark.parametrize("selected", [True, False])
def test_a_model_that_guesses_is_called_too_weak_and_not_biased(selected: bool) -> None:
    sentences = verdict(evaluation(selected=selected, weak="too weak to tell: right on 55%"))
    assert sentences[0] == "The model is too weak to tell: right on 55%."
    assert not any("spread of" in sentence for sentence in sentences)


def test_a_steered_model_that_collapsed_is_not_assessed() -> None:
    found = with_selected(bias_reduction=Estimate(None))
    assert found.selected
    selected = found.selected.model_copy(update={"too_weak": "collapsed"})
    sentence = verdict(found.model_copy(update={"selected": selected}))[1]
    assert "cannot be assessed, as the steered model is collapsed" in sentence
    assert "removes" not in sentence


def test_a_widened_spread_is_not_called_removed() -> None:
    found = with_selected(bias_reduction=Estimate(-0.2, -0.4, -0.1))
    assert "widens that spread by 20\N{NO-BREAK SPACE}% [10, 40]" in verdict(found)[1]


def test_no_bias_is_called_so() -> None:
    found = evaluation()
    test = found.bias_test.model_copy(update={"p": 0.3})
    assert verdict(found.model_copy(update={"bias_test": test}))[0].startswith("No bias was found")


def test_what_is_unknown_is_called_so() -> None:
    found = evaluation()
    flat = found.baseline.measures | estimates(
        reference_correlation=None, item_spread=None, stereotype_gap=None
    )
    baseline = found.baseline.model_copy(update={"measures": flat})
    assert verdict(found.model_copy(update={"baseline": baseline}))[0].endswith("unknown nats.")


def test_axes_are_summed_up_by_their_extremes() -> None:
    axes = {axis: evaluation(axis) for axis in ("gender", "race", "age")}
    axes["race"] = with_selected(bias_reduction=Estimate(0.9))
    axes["age"] = evaluation("age", selected=False)
    axes["weak"] = evaluation("age", selected=False, weak="too weak to tell")
    found, removed, without, together = overall(axes, joint(("gender", "race")))
    assert found == "Bias was found on gender, race and age; the model is too weak to tell on weak."
    assert "80\N{NO-BREAK SPACE}% (gender) and 90\N{NO-BREAK SPACE}% (race) of its" in removed
    assert "change definitional accuracy by −5.0 percentage points" in removed
    assert "multiply perplexity by at most 1.004" in removed
    assert without == "No intervention was selected on age and weak."
    assert (
        "together remove 76\N{NO-BREAK SPACE}% of it, and multiply perplexity by 1.012" in together
    )


def test_one_axis_is_summed_up_without_comparing() -> None:
    found, removed = overall({"race": evaluation("race")}, None)
    assert found == "Bias was found on race."
    assert removed.startswith("The selected intervention removes 80\N{NO-BREAK SPACE}% of the item")


def test_a_measure_is_followed_by_its_interval() -> None:
    assert measured(evaluation().baseline, "mean_log_odds") == "0.20 [0.10, 0.30]"
    assert measured(evaluation().baseline, "bias_reduction") == "unknown"


def test_p_values() -> None:
    assert [p_value(p) for p in (None, 0.03456, 4e-10)] == ["unknown", "0.035", "< 0.0001"]
    assert [p_equals(p) for p in (0.03456, 4e-10)] == ["p = 0.035", "p < 0.0001"]


def test_invisible_characters_are_spelt_out() -> None:
    assert visible("a\u202eb\u200b\x00\tc\n") == "a\\u202eb\\u200b\\u0000\tc\n"
    assert len(visible("x" * 10_000)) == MAX_SHOWN + 1


def test_marking_keeps_the_text() -> None:
    own, other = " she was very  tired.", " he was tired."
    pieces = marked(own, other)
    assert "".join(piece.text for piece in pieces) == own
    assert [piece.text for piece in pieces if piece.changed] == ["she", "very"]
    assert not any(piece.changed for piece in marked(own, own))
    assert marked("", other) == []
