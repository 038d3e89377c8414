"""The selection takes the best that the budget allows, and nothing where nothing is."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.conditions.vector import VectorCondition
from evenkeel.scoring.prompt_set import Readings
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate, Measurement
from evenkeel.selection.choice import select
from evenkeel.statistics.estimate import Estimate
from tests.evaluation.samples import make_vectors

VECTOR = make_vectors(layers=1)[0]


BUDGET = Budget(max_perplexity_ratio=1.02, max_definitional_loss=0.05)


NOTHING = Readings(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))


def candidate(
    gain: float | None,
    cost: float | None,
    action: str = "ablate",
    change: float | None = 0.0,
    share: float = 1.0,
) -> Candidate:
    condition = VectorCondition(((VECTOR,),), action, 1.0)  # type: ignore[arg-type]
    measures = {
        "bias_reduction": gain,
        "perplexity_ratio": cost,
        "definitional_accuracy_change": change,
        "definitional_auroc_change": change,
    }
    estimates = {name: Estimate(value) for name, value in measures.items()}
    return Candidate(condition, Measurement(NOTHING, estimates, None), share)


def test_what_costs_knowledge_is_not_within_the_budget() -> None:
    candidates = [
        candidate(0.9, 1.0, change=-0.4),
        candidate(0.7, 1.0, change=-0.05),
        candidate(0.8, 1.0, change=None),
    ]
    found = select(candidates, BUDGET)
    assert found.selected is candidates[1]
    assert found.affordable == (candidates[1],)


def test_a_limit_of_kl_holds_where_it_is_set() -> None:
    near, far, unknown = candidate(0.5, 1.0), candidate(0.9, 1.0), candidate(0.8, 1.0)
    near.measures["kl_neutral"], far.measures["kl_neutral"] = Estimate(0.01), Estimate(0.2)
    candidates = [near, far, unknown]
    assert select(candidates, BUDGET).selected is far
    found = select(candidates, replace(BUDGET, max_kl=0.1))
    assert found.affordable == (near,)
    assert "KL at most 0.1 nats" in found.reason


def test_a_spread_that_went_because_all_favour_one_group_is_not_within_the_budget() -> None:
    middle, leaning, unknown = candidate(0.5, 1.0), candidate(0.9, 1.0), candidate(0.8, 1.0)
    middle.measures["mean_log_odds_change"] = Estimate(-0.1)
    leaning.measures["mean_log_odds_change"] = Estimate(1.4)
    candidates = [middle, leaning, unknown]
    assert select(candidates, BUDGET).selected is leaning
    found = select(candidates, replace(BUDGET, max_mean_log_odds_change=0.25))
    assert found.affordable == (middle,)
    assert "mean log-odds at most 0.25 nats further from zero" in found.reason


def test_the_best_within_the_budget_wins() -> None:
    candidates = [
        candidate(0.9, 1.5),
        candidate(0.5, 1.01),
        candidate(0.7, 1.02),
        candidate(0.2, 1.0),
    ]
    found = select(candidates, BUDGET)
    assert found.selected is candidates[2]
    assert "3 of 4 candidates with perplexity ratio at most 1.02" in found.reason


def test_of_equals_the_cheaper_wins() -> None:
    candidates = [candidate(0.5, 1.01), candidate(0.5, 1.0), candidate(0.5, 1.0)]
    assert select(candidates, BUDGET).selected is candidates[1]


def test_nothing_within_the_budget() -> None:
    candidates = [candidate(0.9, 1.5), candidate(0.5, None), candidate(0.8, 1.2)]
    found = select(candidates, BUDGET)
    assert found.selected is None
    assert (
        "none of the 3 candidates has, on validation, perplexity ratio at most 1.02" in found.reason
    )
    assert found.best == (candidates[2],), "the cheapest stands for its method and action"


def test_nothing_helps() -> None:
    found = select([candidate(-0.1, 1.0), candidate(None, 1.0)], BUDGET)
    assert found.selected is None
    assert "lowers the item spread" in found.reason


def test_the_best_of_each_method_and_action_is_kept() -> None:
    candidates = [
        candidate(0.5, 1.0),
        candidate(0.4, 1.0, "add"),
        candidate(0.6, 1.0, "add"),
        candidate(0.9, 2.0, "add"),
    ]
    assert select(candidates, BUDGET).best == (candidates[0], candidates[2])


@given(
    st.lists(st.tuples(st.none() | st.floats(-1, 1), st.none() | st.floats(0.5, 3)), max_size=9),
    st.floats(1, 2),
)
def test_the_budget_is_never_exceeded(
    values: list[tuple[float | None, float | None]], budget: float
) -> None:
    candidates = [candidate(*value) for value in values]
    selected = select(candidates, Budget(budget, 0.0)).selected
    allowed = [g for g, c in values if c is not None and c <= budget and g is not None and g > 0]
    assert (selected.value("bias_reduction") if selected else None) == max(allowed, default=None)


def test_only_what_was_measured_on_the_whole_set_is_selected() -> None:
    """The best of a name is one of those measured on most of it, whatever a part said of others."""
    candidates = [candidate(0.9, 1.0, share=0.1), candidate(0.5, 1.0), candidate(0.4, 1.0)]
    found = select(candidates, BUDGET)
    assert found.selected is candidates[1]
    assert found.best == (candidates[1],)
