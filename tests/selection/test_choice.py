"""The selection takes the best that the budget allows, and nothing where nothing is."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from evenkeel.conditions.candidates import Candidate
from evenkeel.selection.selection import Budget, select
from evenkeel.selection.sweep import Cell
from evenkeel.statistics.estimate import Estimate
from tests.evaluation.samples import make_vectors

VECTOR = make_vectors(layers=1)[0]


BUDGET = Budget(max_perplexity_ratio=1.02, max_definitional_loss=0.05)


def cell(
    gain: float | None, cost: float | None, action: str = "ablate", change: float | None = 0.0
) -> Cell:
    candidate = Candidate((VECTOR,), action, 1.0)  # type: ignore[arg-type]
    measures = {
        "bias_reduction": gain,
        "perplexity_ratio": cost,
        "definitional_accuracy_change": change,
    }
    return Cell(candidate, {name: Estimate(value) for name, value in measures.items()})


def test_what_costs_knowledge_is_not_within_the_budget() -> None:
    cells = [cell(0.9, 1.0, change=-0.4), cell(0.7, 1.0, change=-0.05), cell(0.8, 1.0, change=None)]
    found = select(cells, BUDGET)
    assert found.selected is cells[1]
    assert found.affordable == (cells[1],)


def test_a_limit_of_kl_holds_where_it_is_set() -> None:
    near, far, unknown = cell(0.5, 1.0), cell(0.9, 1.0), cell(0.8, 1.0)
    near.measures["kl_neutral"], far.measures["kl_neutral"] = Estimate(0.01), Estimate(0.2)
    cells = [near, far, unknown]
    assert select(cells, BUDGET).selected is far
    found = select(cells, replace(BUDGET, max_kl=0.1))
    assert found.affordable == (near,)
    assert "KL at most 0.1 nats" in found.reason


def test_a_spread_that_went_because_all_lean_to_one_side_is_not_within_the_budget() -> None:
    middle, leaning, unknown = cell(0.5, 1.0), cell(0.9, 1.0), cell(0.8, 1.0)
    middle.measures["parity_shift"] = Estimate(-0.1)
    leaning.measures["parity_shift"] = Estimate(1.4)
    cells = [middle, leaning, unknown]
    assert select(cells, BUDGET).selected is leaning
    found = select(cells, replace(BUDGET, max_parity_shift=0.25))
    assert found.affordable == (middle,)
    assert "common lean at most 0.25 nats larger" in found.reason


def test_the_best_within_the_budget_wins() -> None:
    cells = [cell(0.9, 1.5), cell(0.5, 1.01), cell(0.7, 1.02), cell(0.2, 1.0)]
    found = select(cells, BUDGET)
    assert found.selected is cells[2]
    assert "3 of 4 candidates with perplexity ratio at most 1.02" in found.reason


def test_of_equals_the_cheaper_wins() -> None:
    cells = [cell(0.5, 1.01), cell(0.5, 1.0), cell(0.5, 1.0)]
    assert select(cells, BUDGET).selected is cells[1]


def test_nothing_within_the_budget() -> None:
    cells = [cell(0.9, 1.5), cell(0.5, None), cell(0.8, 1.2)]
    found = select(cells, BUDGET)
    assert found.selected is None
    assert (
        "none of the 3 candidates has, on validation, perplexity ratio at most 1.02" in found.reason
    )
    assert found.best == (cells[2],), "the cheapest stands for its method and action"


def test_nothing_helps() -> None:
    found = select([cell(-0.1, 1.0), cell(None, 1.0)], BUDGET)
    assert found.selected is None
    assert "lowers the occupation spread" in found.reason


def test_the_best_of_each_method_and_action_is_kept() -> None:
    cells = [cell(0.5, 1.0), cell(0.4, 1.0, "add"), cell(0.6, 1.0, "add"), cell(0.9, 2.0, "add")]
    assert select(cells, BUDGET).best == (cells[0], cells[2])


@given(
    st.lists(st.tuples(st.none() | st.floats(-1, 1), st.none() | st.floats(0.5, 3)), max_size=9),
    st.floats(1, 2),
)
def test_the_budget_is_never_exceeded(
    values: list[tuple[float | None, float | None]], budget: float
) -> None:
    cells = [cell(*value) for value in values]
    selected = select(cells, Budget(budget, 0.0)).selected
    allowed = [g for g, c in values if c is not None and c <= budget and g is not None and g > 0]
    assert (selected.value("bias_reduction") if selected else None) == max(allowed, default=None)
