"""Findings: what was planted in the cases is confirmed, its opposite refuted, noise undecided."""

import numpy as np
import pytest
import torch

from evenkeel.case_studies.cases import Case
from evenkeel.case_studies.effects import Effect
from evenkeel.case_studies.findings import Finding, steering_findings
from evenkeel.params import FeatureRecipeParams, RecipeParams, TextsRecipeParams
from evenkeel.statistics.estimate import Estimate
from evenkeel.steering.intervention import Add

PROMPTS = 8
LAYERS = 12
PLAIN = "We had soup and bread for lunch on Monday."
STUCK = "the the the the the the the the the"


def pair(name: str) -> TextsRecipeParams:
    return TextsRecipeParams(
        name=name, kind="texts", positive="a", negative="b", layers=list(range(LAYERS)),
        site="resid_post", action="add", relative=False, multipliers=[1, 50], positions="all",
        sinks="exclude", backends=["hooks"],
    )  # fmt: skip


FEATURE = FeatureRecipeParams(
    name="feature", kind="feature", feature=3, action="scale", multipliers=[0.5, 0],
    positions="all", sinks="exclude", backends=["hooks"],
)  # fmt: skip
NOISE = np.random.default_rng(0).normal(size=PROMPTS)


def effect(
    recipe: RecipeParams, layer: int, force: float, shift: float, text: str = PLAIN
) -> Effect:
    case = Case(recipe, layer, force, Add(torch.ones(4), layer=layer, site="resid_post"))
    odds = shift + 0.1 * NOISE
    measures = {
        "shift": Estimate(float(odds.mean())),
        "degenerate_share": Estimate(float(text == STUCK)),
        "perplexity": Estimate(20.0),
    }
    return Effect(case, [text] * PROMPTS, odds, measures, {})


def unsteered() -> Effect:
    odds = np.zeros(PROMPTS)
    return Effect(None, [PLAIN] * PROMPTS, odds, {"perplexity": Estimate(20.0)}, {})


def verdicts(cases: list[Effect]) -> dict[str, str]:
    found = steering_findings([unsteered(), *cases], LAYERS, 1, 500, 0)
    return {finding.claim: finding.verdict for finding in found}


@pytest.mark.parametrize(("inside", "verdict"), [(3.0, "confirmed"), (0.5, "refuted")])
def test_planted_golden_layers_and_collapse_are_found(inside: float, verdict: str) -> None:
    cases = []
    for layer in range(LAYERS):
        cases.append(effect(pair("short"), layer, 1, inside if layer in (7, 8) else 1.0))
        cases.append(effect(pair("short"), layer, 50, 9.0 - layer, STUCK))  # collapsed: no merit
    found = verdicts(cases)
    assert found == {
        "short: depths 7/12 to 9/12 shift further than the others (nats)": verdict,
        "short: the strongest force repeats more than the gentlest (share)": "confirmed",
    }


def test_pairs_and_features_are_compared() -> None:
    cases = [effect(pair("short"), 7, 1, -3.0), effect(pair("long"), 7, 1, 1.0)]
    cases += [effect(FEATURE, 8, 0.5, 5.0), effect(FEATURE, 8, 0, -1.0)]
    assert verdicts(cases) == {
        "short shifts further than long (nats)": "confirmed",  # whichever way it shifts
        "feature, scaled by 0: words likelier (nats)": "refuted",
    }


def test_an_interval_around_zero_decides_nothing() -> None:
    assert Finding("x", Estimate(0.1, -0.1, 0.3)).verdict == "undecided"
    assert Finding("x", Estimate(None)).record() == {
        "claim": "x", "verdict": "undecided", "difference": None, "difference_ci95": None
    }  # fmt: skip
