"""The frontier holds what nothing beats, and nothing that something does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.selection.frontier import at_equal_damage, damage, pareto
from evenkeel.selection.selection import Budget
from evenkeel.selection.sweep import Cell
from tests.selection.test_selection import BUDGET, cell


def test_damage_is_the_largest_share_of_the_budget() -> None:
    assert damage(cell(0.5, 1.01, change=-0.01), BUDGET) == pytest.approx(0.5)
    assert damage(cell(0.5, 1.01, change=-0.1), BUDGET) == pytest.approx(2)
    assert damage(cell(0.5, 0.99, change=0.1), BUDGET) == 0
    assert damage(cell(0.5, None), BUDGET) == float("inf")
    nothing = Budget(max_perplexity_ratio=1, max_definitional_loss=0)
    assert damage(cell(0.5, 1.0001), nothing) == float("inf")
    assert damage(cell(0.5, 1.0), nothing) == 0


cells = st.lists(
    st.builds(
        cell,
        st.none() | st.floats(-1, 1),
        st.none() | st.floats(0.9, 2),
        st.sampled_from(["add", "ablate"]),
        st.none() | st.floats(-1, 0.5),
    ),
    max_size=12,
)


@given(cells)
def test_the_frontier_is_what_nothing_beats(tried: list[Cell]) -> None:
    frontier = pareto(tried, BUDGET)
    points = [(damage(c, BUDGET), c.value("bias_reduction") or 0.0) for c in frontier]
    assert points == sorted(points)
    for one in tried:
        gain, cost = one.value("bias_reduction"), damage(one, BUDGET)
        if gain is None or cost == float("inf"):
            assert one not in frontier
        else:
            assert any(other <= cost and better >= gain for other, better in points)
    for cost, gain in points:
        assert not any(
            (other.value("bias_reduction") or -2) > gain and damage(other, BUDGET) <= cost
            for other in tried
            if other.value("bias_reduction") is not None
        )


def test_each_level_of_damage_has_its_best() -> None:
    tried = [cell(0.3, 1.005), cell(0.9, 1.02), cell(0.5, 1.01), cell(0.95, 1.5)]
    found = at_equal_damage(tried, BUDGET, (0.1, 0.3, 0.5, 1, 30))
    assert found == {0.1: None, 0.3: tried[0], 0.5: tried[2], 1: tried[1], 30: tried[3]}
