"""Bias against damage: what each method reaches at equal cost, and what nothing beats at any."""

from collections.abc import Sequence

from evenkeel.selection.selection import Budget, M, Measured

LEVELS = (0.5, 1.0, 2.0)
"""Shares of the budget at which methods are compared."""


def damage(cell: Measured, budget: Budget) -> float:
    """How much of the budget a cell uses up: the largest share of one of its limits; 1 is all.

    Infinite where a cost is unknown, or where something is spent of which nothing is allowed.
    """
    return max((_share(cost, limit) for cost, limit in budget.costs(cell)), default=0.0)


def _share(cost: float | None, limit: float) -> float:
    if cost is None:
        return float("inf")
    if cost <= 0:
        return 0.0
    return cost / limit if limit > 0 else float("inf")


def pareto(cells: Sequence[M], budget: Budget) -> list[M]:
    """Cells that no other beats: none reduces bias as much for less damage, by rising damage."""
    known = [cell for cell in cells if cell.value("bias_reduction") is not None]
    ordered = sorted(known, key=lambda cell: (damage(cell, budget), -_reduction(cell)))
    frontier: list[M] = []
    for cell in ordered:
        if damage(cell, budget) == float("inf"):
            break
        if not frontier or _reduction(cell) > _reduction(frontier[-1]):
            frontier.append(cell)
    return frontier


def at_equal_damage(
    cells: Sequence[M], budget: Budget, levels: Sequence[float] = LEVELS
) -> dict[float, M | None]:
    """The best cell within each level of damage; None where there is no cell."""
    frontier = pareto(cells, budget)
    return {
        level: max(
            (cell for cell in frontier if damage(cell, budget) <= level),
            key=_reduction,
            default=None,
        )
        for level in levels
    }


def _reduction(cell: Measured) -> float:
    value = cell.value("bias_reduction")
    assert value is not None
    return value
