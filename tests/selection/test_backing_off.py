"""What would win but for its cost is tried at less."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.vector import VectorCondition
from evenkeel.selection.backing_off import STEPS, TRIED, back_off
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate, Measurement
from evenkeel.statistics.estimate import Estimate
from tests.evaluation.samples import make_vectors
from tests.selection.test_search import NOTHING

BUDGET = Budget(max_perplexity_ratio=1.02, max_definitional_loss=0.05)
VECTOR = make_vectors(layers=1)[0]


class Proportional:
    """Gain and cost grow with the multiplier."""

    def __init__(self, cost: float) -> None:
        self.cost = cost
        self.read: list[float] = []

    def candidate(self, multiplier: float, share: float = 1.0) -> Candidate:
        condition = VectorCondition(((VECTOR,),), "ablate", multiplier)
        measures = {
            "bias_reduction": Estimate(0.8 * multiplier),
            "perplexity_ratio": Estimate(1 + self.cost * multiplier),
            "definitional_accuracy_change": Estimate(0.0),
            "definitional_auroc_change": Estimate(0.0),
        }
        return Candidate(condition, Measurement(NOTHING, measures, None), share)

    def compare(self, tried: Sequence[Condition], _: str, *, with_kl: bool) -> list[Candidate]:
        assert not with_kl
        found = [self.candidate(each.recipe.multiplier or 0.0) for each in tried]
        self.read += [each.condition.recipe.multiplier or 0.0 for each in found]
        return found

    def back_off(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        evaluator: Any = self
        return back_off(candidates, evaluator, BUDGET)


@given(cost=st.floats(0.0201, 0.3))
def test_the_largest_multiplier_that_the_budget_allows_is_approached(cost: float) -> None:
    model = Proportional(cost)
    within = [each for each in model.back_off([model.candidate(1.0)]) if BUDGET.allows(each)]
    best = max((each.condition.recipe.multiplier or 0.0 for each in within), default=0.0)
    allowed = 0.02 / cost
    assert allowed - 0.5**STEPS <= best <= allowed + 1e-9


def test_only_what_is_ahead_of_all_within_the_budget_is_tried() -> None:
    model = Proportional(0.03)
    within, over, part = model.candidate(0.6), model.candidate(0.9), model.candidate(1.0, 0.5)
    assert model.back_off([within, part]) == []
    assert model.back_off([model.candidate(0.65), within]) == []
    model.back_off([within, over])
    assert model.read == pytest.approx([0.45, 0.675, 0.5625])


def test_what_has_no_effect_to_halve_is_not_tried() -> None:
    model = Proportional(0.03)
    over = model.candidate(1.0)
    without = replace(over, condition=model.candidate(0.0).condition)
    assert model.back_off([over])
    assert model.back_off([without]) == []


def test_the_cost_is_bounded() -> None:
    model = Proportional(1.0)
    model.back_off([model.candidate(1 + number / 10) for number in range(9)])
    assert len(model.read) == TRIED * STEPS
