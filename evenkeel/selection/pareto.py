"""Bias against cost: what each method reaches at matched cost, and what nothing beats at any."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evenkeel.selection.budget import Budget, M, Measured
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.choice import most_measured
from evenkeel.selection.evaluator import Evaluator
from evenkeel.selection.tables import recipe_cells

LEVELS = (0.5, 1.0, 2.0)
"""Shares of the budget at which methods are compared."""
COMPARED = ("bias_reduction", "perplexity_ratio", "definitional_accuracy_change")


def pareto(candidates: Sequence[M], budget: Budget) -> list[M]:
    """Candidates that no other beats: none reduces bias as much for less cost, by rising cost."""
    known = [each for each in candidates if each.value("bias_reduction") is not None]
    ordered = sorted(known, key=lambda each: (budget.share_used(each), -_reduction(each)))
    front: list[M] = []
    for candidate in ordered:
        if budget.share_used(candidate) == float("inf"):
            break
        if not front or _reduction(candidate) > _reduction(front[-1]):
            front.append(candidate)
    return front


def cost_matched(
    candidates: Sequence[M], budget: Budget, levels: Sequence[float] = LEVELS
) -> dict[float, M]:
    """The best candidate within each share of the budget; none where nothing is as cheap."""
    front = pareto(candidates, budget)
    best: dict[float, M] = {}
    for level in levels:
        within = [each for each in front if budget.share_used(each) <= level]
        if within:
            best[level] = max(within, key=_reduction)
    return best


@dataclass(frozen=True, eq=False)
class ParetoFront:
    """The best of each method within each share of the budget, and the front of them all."""

    budget: Budget
    levels: dict[str, dict[float, Candidate]]
    """On validation, by method, action and gate, and by share of the budget."""
    front: list[Candidate]
    """Of all but random directions, by rising cost."""
    on_test: dict[Candidate, Candidate]
    """How they did on test."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row a candidate: its recipe, its cost, and metrics on both splits."""
        return [self._row(candidate) for candidate in self.on_test]

    def _row(self, candidate: Candidate) -> dict[str, Any]:
        row = recipe_cells(candidate.condition.recipe)
        row["cost"] = self.budget.share_used(candidate)
        row["on_front"] = int(candidate in self.front)
        for name in COMPARED:
            row[name] = candidate.value(name)
        for name in COMPARED:
            row |= self.on_test[candidate].measures[name].cells(f"test_{name}")
        return row


def compare_at_matched_cost(
    candidates: Sequence[Candidate], budget: Budget, test: Evaluator, excluded: str
) -> ParetoFront:
    """Take the best of each method at each share of the budget, and the front, to the test set.

    Args:
        candidates: on the validation set; of each method, action and gate those count that were
            measured on most of it, for the front those that were on all of it.
        budget: the unit of cost.
        test: the test set.
        excluded: method that is no part of the front (random directions).
    """
    by_name: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_name.setdefault(candidate.condition.name, []).append(candidate)
    levels = {name: cost_matched(most_measured(named), budget) for name, named in by_name.items()}
    meant = [each for each in candidates if each.condition.recipe.method != excluded]
    front = pareto([each for each in meant if each.is_whole], budget)
    chosen = list(
        dict.fromkeys([each for named in levels.values() for each in named.values()] + front)
    )
    measured = test.compare([each.condition for each in chosen], "Pareto front")
    return ParetoFront(budget, levels, front, dict(zip(chosen, measured, strict=True)))


def _reduction(candidate: Measured) -> float:
    value = candidate.value("bias_reduction")
    assert value is not None
    return value
