"""The sweet spot: the largest shift that breaks no text."""

import torch

from evenkeel.case_studies.cases import Case
from evenkeel.case_studies.effects import Effect
from evenkeel.case_studies.summary import agreement, sweet_spots
from evenkeel.params import FeatureRecipeParams
from evenkeel.statistics.estimate import Estimate
from evenkeel.steering.intervention import Add

RECIPE = FeatureRecipeParams(
    name="feature",
    kind="feature",
    feature=1,
    action="add",
    multipliers=[1.0],
    positions="all",
    sinks="exclude",
    backends=["hooks", "wrapper"],
)


def effect(
    multiplier: float, shift: float, degenerate: float, agreed: float = 1.0, perplexity: float = 20
) -> Effect:
    case = Case(RECIPE, 3, multiplier, Add(torch.ones(4), layer=3, site="resid_post"))
    measures = {
        "shift": Estimate(shift),
        "degenerate_share": Estimate(degenerate),
        "perplexity": Estimate(perplexity),
    }
    return Effect(case, ["text"], None, measures, {"wrapper": agreed})


UNSTEERED = Effect(None, ["text"], None, {"perplexity": Estimate(2.5)}, {})


def test_what_collapses_is_left_out() -> None:
    subtle, sweet, broken = effect(1, -0.1, 0), effect(30, -2, 0.1), effect(80, -5, 0.2)
    noise = effect(100, -9, 0, perplexity=26)
    best = sweet_spots([UNSTEERED, subtle, broken, sweet, noise])
    assert best.keys() == {"feature"}
    assert best["feature"]["multiplier"] == 30
    assert best["feature"]["layer"] == 3
    assert sweet_spots([UNSTEERED, broken, noise]) == {}


def test_agreement_is_that_of_the_worst_case() -> None:
    found = agreement([effect(1, 0, 0), effect(2, 0, 0, agreed=0.5)])
    assert found == {"feature": {"wrapper": 0.5}}
