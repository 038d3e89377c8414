"""Words say what the figures say."""

import pytest

from evenkeel.reporting.differences import MAX_SHOWN, marked, visible
from evenkeel.reporting.verdict import verdict
from evenkeel.reporting.wording import described, measured, number, p_equals, p_value, percent
from tests.reporting.samples import BASELINE, STEERED, make_results


def test_numbers() -> None:
    assert number(1.2345) == "1.23"
    assert number(-0.5, 1) == "−0.5"
    assert number(-0.001) == "0.00"
    assert number(1_268_342.1, 1) == "1.3 × 10⁶"
    assert number(-2.5e15, 0) == "−2 × 10¹⁵"
    assert number(None) == percent(None) == "unknown"
    assert percent(0.805) == "80\N{NO-BREAK SPACE}%"
    assert measured({"x": 1.0, "x_ci95": [-0.5, 2]}, "x", 1) == "1.0 [−0.5, 2.0]"
    assert measured({"x": 1.0, "x_ci95": None}, "x", 1) == "1.0"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "projecting out the direction of the linear probe at layer 3"),
        (
            {"layer": "all", "multiplier": 0.5},
            "taking out 50\N{NO-BREAK SPACE}% of the direction of the linear probe at all",
        ),
        (
            {"action": "add", "multiplier": -0.25},
            "adding −0.25 stream norms in the direction of the linear probe",
        ),
        (
            {"action": "mean_ablate", "multiplier": 1.1},
            "moving the stream 110\N{NO-BREAK SPACE}% of the way to the groups’ middle along the",
        ),
        (
            {"action": "scale", "multiplier": 0.125, "features": "16 87"},
            "scaling SAE features 16, 87 by 0.125 at layer 3",
        ),
        (
            {"action": "clamp", "multiplier": 0.0, "features": "16"},
            "holding SAE features 16 at 0 at layer 3",
        ),
        ({"gate": "probe"}, "probe at layer 3 at words that a probe takes for stereotyped"),
        ({"method": "own"}, "projecting out the direction of the “own” vector"),
    ],
)
def test_interventions_are_described(changes: dict[str, object], words: str) -> None:
    assert words in described(STEERED | changes)


def test_the_verdict_has_three_sentences_with_their_figures() -> None:
    bias, steering, knowledge = verdict(make_results().evaluation)
    assert "On 3 held-out occupations" in bias
    assert "1.50 [1.40, 1.60] nats" in bias
    assert "0.97 [0.87, 1.07]" in bias
    assert "removed 80\N{NO-BREAK SPACE}% [70, 90] of that spread" in steering
    assert "multiplied by 1.004 [0.904, 1.104]" in steering
    assert "right in 90\N{NO-BREAK SPACE}% [80, 100] of prompts, " in knowledge
    assert "95\N{NO-BREAK SPACE}% [85, 105] before" in knowledge


@pytest.mark.parametrize(
    ("change", "margin", "words"),
    [
        ([-0.2, -0.1], [0.1, 0.3], "was damaged"),
        ([-0.1, 0.0], [0.6, 0.8], "was kept, but weakened"),
        ([-0.1, 0.0], [0.9, 1.1], "was kept:"),
        (None, None, "cannot be compared"),
    ],
)
def test_lost_knowledge_is_called_so(
    change: list[float] | None, margin: list[float] | None, words: str
) -> None:
    evaluation = make_results().evaluation
    assert evaluation.selected is not None
    changed = evaluation.selected | {
        "definitional_accuracy_change_ci95": change,
        "definitional_margin_ratio_ci95": margin,
    }
    assert words in verdict(evaluation.model_copy(update={"selected": changed}))[2]


def test_a_model_that_guesses_is_called_too_weak_and_not_biased() -> None:
    evaluation = make_results().evaluation
    competence = evaluation.competence | {"too_weak": "too weak to tell: right on 55%"}
    for selected in (evaluation.selected, None):
        changes = {"competence": competence, "selected": selected}
        sentences = verdict(evaluation.model_copy(update=changes))
        assert sentences[0] == "The model is too weak to tell: right on 55%."
        assert not any("spread by" in sentence for sentence in sentences)


def test_a_steered_model_that_collapsed_is_not_judged() -> None:
    evaluation = make_results().evaluation
    assert evaluation.selected is not None
    selected = evaluation.selected | {"too_weak": "collapsed", "bias_reduction": None}
    sentence = verdict(evaluation.model_copy(update={"selected": selected}))[1]
    assert "cannot be judged, as the steered model is collapsed" in sentence
    assert "removed" not in sentence


def test_p_values() -> None:
    assert [p_value(p) for p in (None, 0.03456, 4e-10)] == ["unknown", "0.035", "< 0.0001"]
    assert [p_equals(p) for p in (0.03456, 4e-10)] == ["p = 0.035", "p < 0.0001"]


def test_the_lean_that_all_occupations_share_is_told() -> None:
    steering = verdict(make_results().evaluation)[1]
    assert (
        "left a lean common to all occupations of 0.20 [0.10, 0.30] nats (0.20 before)" in steering
    )


def test_a_widened_spread_is_not_called_removed() -> None:
    evaluation = make_results().evaluation
    assert evaluation.selected is not None
    worse = {"bias_reduction": -0.2, "bias_reduction_ci95": [-0.4, -0.1]}
    changed = evaluation.model_copy(update={"selected": evaluation.selected | worse})
    assert "added 20\N{NO-BREAK SPACE}% [10, 40] to that spread" in verdict(changed)[1]


def test_what_is_unknown_is_called_so() -> None:
    evaluation = make_results().evaluation
    flat = BASELINE | {"planted_correlation": None, "occupation_spread": None}
    changed = evaluation.model_copy(update={"baseline": flat | {"occupation_spread_ci95": None}})
    assert "spread by unknown nats." in verdict(changed)[0]


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
