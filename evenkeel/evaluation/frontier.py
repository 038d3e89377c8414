"""Bias against damage: what each method reaches at equal cost, and what nothing beats at any."""

from collections.abc import Sequence
from dataclasses import dataclass

from evenkeel.evaluation.selection import Budget
from evenkeel.evaluation.sweep import Cell

LEVELS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Shares of the budget at which methods are compared."""


def damage(cell: Cell, budget: Budget) -> float:
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


def pareto(cells: Sequence[Cell], budget: Budget) -> list[Cell]:
    """Cells that no other beats: none reduces bias as much for less damage, by rising damage."""
    known = [cell for cell in cells if cell.value("bias_reduction") is not None]
    ordered = sorted(known, key=lambda cell: (damage(cell, budget), -_reduction(cell)))
    frontier: list[Cell] = []
    for cell in ordered:
        if damage(cell, budget) == float("inf"):
            break
        if not frontier or _reduction(cell) > _reduction(frontier[-1]):
            frontier.append(cell)
    return frontier


@dataclass(frozen=True)
class AtDamage:
    """The best that a method reached within a share of the budget; no cell where none is."""

    name: str
    """Method and action."""
    level: float
    """Share of the budget."""
    cell: Cell | None


def at_equal_damage(
    cells: Sequence[Cell], budget: Budget, levels: Sequence[float] = LEVELS
) -> list[AtDamage]:
    """The best cell of each method and action at each level of damage."""
    found = []
    for name in dict.fromkeys(cell.candidate.name for cell in cells):
        own = pareto([cell for cell in cells if cell.candidate.name == name], budget)
        for level in levels:
            within = [cell for cell in own if damage(cell, budget) <= level]
            found.append(AtDamage(name, level, within[-1] if within else None))
    return found


def _reduction(cell: Cell) -> float:
    value = cell.value("bias_reduction")
    assert value is not None
    return value
