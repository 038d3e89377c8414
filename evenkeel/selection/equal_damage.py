"""Methods compared at equal damage: chosen on validation, measured on test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from evenkeel.controls.nulls import RANDOM
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.metrics.measures import PanelMeasures
from evenkeel.scoring.result_cache import NOT_KEPT, Journal
from evenkeel.selection.frontier import at_equal_damage, damage, pareto
from evenkeel.selection.selection import Budget
from evenkeel.selection.sweep import Cell, sweep
from evenkeel.statistics.estimate import rounded

SHOWN = ("bias_reduction", "perplexity_ratio", "definitional_accuracy_change")


@dataclass(frozen=True, eq=False)
class EqualDamage:
    """The best of each method within each level of damage, and the frontier of them all."""

    budget: Budget
    levels: dict[str, dict[float, Cell]]
    """Cells on validation by method, action and gate, and by level; a level within which a method
    has no cell is missing."""
    overall: list[Cell]
    """Frontier of all but random directions, by rising damage."""
    on_test: dict[Cell, Cell]
    """How they did on test."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row a cell: what was done, its damage, and measures on both splits."""
        return [
            self._row(cell) | {"on_frontier": int(cell in self.overall)} for cell in self.on_test
        ]

    @property
    def table(self) -> list[dict[str, Any]]:
        """One entry a method, action and gate and level of damage."""
        return [
            {"damage_at_most": level} | self._row(cell)
            for cells in self.levels.values()
            for level, cell in cells.items()
        ]

    def _row(self, cell: Cell) -> dict[str, Any]:
        test = self.on_test[cell].measures
        row: dict[str, Any] = {"name": cell.candidate.name, **cell.candidate.recipe}
        row["damage"] = rounded(damage(cell, self.budget))
        for name in SHOWN:
            row[name] = rounded(cell.value(name))
        for name in SHOWN:
            row[f"test_{name}"] = rounded(test[name].value)
            row[f"test_{name}_low"] = rounded(test[name].low)
            row[f"test_{name}_high"] = rounded(test[name].high)
        return row


def compare_at_equal_damage(
    model: nn.Module,
    cells: Sequence[Cell],
    budget: Budget,
    test: PanelMeasures,
    gate: CompetenceGate,
    batch_size: int,
    journal: Journal = NOT_KEPT,
) -> EqualDamage:
    """Take the best of each method at each level of damage, and the frontier, to the test panel.

    Args:
        model: the unsteered model.
        cells: of the sweep on validation.
        budget: the unit of damage.
        test: measures of the test panel.
        gate: withholds the bias of a model that cannot do the task.
        batch_size: rows in a forward pass.
        journal: keeps what each pass says.
    """
    by_name: dict[str, list[Cell]] = {}
    for cell in cells:
        by_name.setdefault(cell.candidate.name, []).append(cell)
    levels = {
        name: {
            level: cell for level, cell in at_equal_damage(own, budget).items() if cell is not None
        }
        for name, own in by_name.items()
    }
    overall = pareto([cell for cell in cells if cell.candidate.method != RANDOM], budget)
    chosen = list(dict.fromkeys([c for own in levels.values() for c in own.values()] + overall))
    tried = [cell.candidate for cell in chosen]
    measured = sweep(model, tried, test, gate, batch_size, "frontier", journal=journal)
    return EqualDamage(budget, levels, overall, dict(zip(chosen, measured, strict=True)))
