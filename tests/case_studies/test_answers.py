"""Answers are sorted by whole words, and their shares counted with paired changes."""

import pytest
import torch

from evenkeel.case_studies.answers import Answers
from evenkeel.case_studies.cases import Case
from evenkeel.case_studies.effects import Effect
from evenkeel.params import FeatureRecipeParams
from evenkeel.steering.intervention import Add

ANSWERS = Answers({"female": ["female", "woman"], "male": ["male", "man"]}, 1, 300, 0)
RECIPE = FeatureRecipeParams(
    name="feature", kind="feature", feature=3, action="scale", multipliers=[0.5, 0],
    positions="all", sinks="exclude", backends=["hooks"],
)  # fmt: skip
BEFORE = ["Female."] * 6 + ["A man."] * 4


def effect(texts: list[str], multiplier: float | None = None) -> Effect:
    if multiplier is None:
        return Effect(None, texts, None, {}, {})
    case = Case(RECIPE, 3, multiplier, Add(torch.ones(4), layer=3, site="resid_post"))
    return Effect(case, texts, None, {}, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Female.", "female"),
        ("The answer is: a woman!", "female"),
        ("male", "male"),  # and not in "female"
        ("Managers are often men.", "none"),  # neither "man" in a word nor a word not listed
        ("Both male and female nurses.", "several"),
        ("I cannot say.", "none"),
        ("", "none"),
    ],
)
def test_an_answer_is_what_its_words_say(text: str, expected: str) -> None:
    assert ANSWERS.of(text) == expected


def test_shares_and_changes_are_counted() -> None:
    after = ["Female."] * 2 + ["Anybody."] * 5 + ["A man."] * 3
    before, changed = ANSWERS.rows([effect(BEFORE), effect(after, 0)])
    assert before["recipe"] is None
    shares = {name: found["share"] for name, found in before["classes"].items()}
    assert shares == {"female": 0.6, "male": 0.4, "several": 0, "none": 0}
    assert "change" not in before["classes"]["female"]
    assert (changed["recipe"], changed["multiplier"]) == ("feature", 0)
    assert changed["classes"]["none"]["share"] == pytest.approx(0.5)
    assert changed["classes"]["female"]["change"] == pytest.approx(-0.4)
    low, high = changed["classes"]["female"]["change_ci95"]
    assert low < -0.4 < high


def test_samples_of_one_prompt_are_one_unit() -> None:
    answers = Answers(ANSWERS.classes, 2, 300, 0)
    (row,) = answers.rows([effect(["Female.", "Male."] * 5)])
    assert row["classes"]["female"]["share"] == 0.5
    assert row["classes"]["female"]["share_ci95"] is None or (
        row["classes"]["female"]["share_ci95"] == [0.5, 0.5]  # every prompt has one of each
    )


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(["Anybody."] * 10, "confirmed"), (BEFORE, "undecided"), (BEFORE[::-1], "undecided")],
)
def test_a_scaled_feature_that_silences_answers_is_found(after: list[str], verdict: str) -> None:
    cases = [effect(BEFORE), effect(["Female."] * 10, 0.5), effect(after, 0)]
    (finding,) = ANSWERS.findings(cases)
    assert finding.claim == "feature, scaled by 0: fewer answers name one class (share)"
    assert finding.verdict == verdict
