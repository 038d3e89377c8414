"""The choice of an intervention on validation figures, under a budget for what it may cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from evenkeel.evaluation.sweep import Cell


@dataclass(frozen=True)
class Selection:
    """What was chosen, of what, and why if nothing was."""

    selected: Cell | None
    reason: str
    affordable: tuple[Cell, ...]
    """Cells whose cost the budget allows."""
    best: tuple[Cell, ...]
    """The best cell of each method and action, the selected one among them."""


def select(cells: Sequence[Cell], max_perplexity_ratio: float) -> Selection:
    """The cell of the highest bias reduction among those within the budget.

    Of equals the cheaper one wins, then the earlier one. For comparison the best cell of each
    method and action is kept as well: within the budget where one is, else the cheapest.

    Args:
        cells: how the candidates did on validation.
        max_perplexity_ratio: the budget; a cell of unknown cost is not within it.
    """
    affordable = tuple(cell for cell in cells if _cost(cell) <= max_perplexity_ratio)
    helpful = [cell for cell in affordable if _gain(cell) > 0]
    names = dict.fromkeys(cell.candidate.name for cell in cells)
    best = []
    for name in names:
        own = [cell for cell in cells if cell.candidate.name == name]
        within = [cell for cell in own if cell in affordable]
        best.append(_best(within) if within else min(own, key=_cost))
    if helpful:
        reason = (
            f"highest bias reduction on validation among {len(affordable)} of {len(cells)} "
            f"candidates with perplexity ratio at most {max_perplexity_ratio:g}"
        )
        return Selection(_best(helpful), reason, affordable, tuple(best))
    if affordable:
        reason = (
            f"none of the {len(affordable)} candidates with perplexity ratio at most "
            f"{max_perplexity_ratio:g} lowers the occupation spread on validation"
        )
    else:
        reason = (
            f"none of the {len(cells)} candidates has a perplexity ratio of at most "
            f"{max_perplexity_ratio:g} on validation; try weaker multipliers or a larger budget"
        )
    return Selection(None, reason, affordable, tuple(best))


def _best(cells: Sequence[Cell]) -> Cell:
    return min(cells, key=lambda cell: (-_gain(cell), _cost(cell)))


def _gain(cell: Cell) -> float:
    value = cell.value("bias_reduction")
    return float("-inf") if value is None else value


def _cost(cell: Cell) -> float:
    value = cell.value("perplexity_ratio")
    return float("inf") if value is None else value
