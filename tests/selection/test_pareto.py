"""The Pareto front holds what nothing beats, and nothing that something does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.pareto import cost_matched, pareto
from tests.selection.test_choice import BUDGET, candidate


def test_the_cost_is_the_largest_share_of_the_budget() -> None:
    assert BUDGET.share_used(candidate(0.5, 1.01, change=-0.01)) == pytest.approx(0.5)
    assert BUDGET.share_used(candidate(0.5, 1.01, change=-0.1)) == pytest.approx(2)
    assert BUDGET.share_used(candidate(0.5, 0.99, change=0.1)) == 0
    assert BUDGET.share_used(candidate(0.5, None)) == float("inf")
    nothing = Budget(max_perplexity_ratio=1, max_definitional_loss=0)
    assert nothing.share_used(candidate(0.5, 1.0001)) == float("inf")
    assert nothing.share_used(candidate(0.5, 1.0)) == 0


candidates = st.lists(
    st.builds(
        candidate,
        st.none() | st.floats(-1, 1),
        st.none() | st.floats(0.9, 2),
        st.sampled_from(["add", "ablate"]),
        st.none() | st.floats(-1, 0.5),
    ),
    max_size=12,
)


@given(candidates)
def test_the_front_is_what_nothing_beats(tried: list[Candidate]) -> None:
    front = pareto(tried, BUDGET)
    points = [(BUDGET.share_used(c), c.value("bias_reduction") or 0.0) for c in front]
    assert points == sorted(points)
    for one in tried:
        gain, cost = one.value("bias_reduction"), BUDGET.share_used(one)
        if gain is None or cost == float("inf"):
            assert one not in front
        else:
            assert any(other <= cost and better >= gain for other, better in points)
    for cost, gain in points:
        assert not any(
            (other.value("bias_reduction") or -2) > gain and BUDGET.share_used(other) <= cost
            for other in tried
            if other.value("bias_reduction") is not None
        )


def test_each_share_of_the_budget_has_its_best() -> None:
    tried = [
        candidate(0.3, 1.005),
        candidate(0.9, 1.02),
        candidate(0.5, 1.01),
        candidate(0.95, 1.5),
    ]
    found = cost_matched(tried, BUDGET, (0.1, 0.3, 0.5, 1, 30))
    assert found == {0.3: tried[0], 0.5: tried[2], 1: tried[1], 30: tried[3]}
