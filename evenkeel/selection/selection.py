"""The choice of an intervention on validation figures, under a budget for what it may cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from evenkeel.selection.sweep import Cell


class Measured(Protocol):
    """Anything that was measured on validation: a candidate, a prefix."""

    def value(self, measure: str) -> float | None: ...


M = TypeVar("M", bound=Measured)


@dataclass(frozen=True)
class Budget:
    """What an intervention may cost on validation; a cell of unknown cost is not within it."""

    max_perplexity_ratio: float
    max_definitional_loss: float
    """Largest fall of definitional accuracy, from 0 to 1."""
    max_kl: float | None = None
    """Largest KL(unsteered || steered) of the next token on plain text, in nats; None is any."""

    max_parity_shift: float | None = None
    """Largest growth of the lean common to all occupations, in nats; None is any. A spread is also
    gone where everybody is he."""

    def costs(self, cell: Measured) -> list[tuple[float | None, float]]:
        """What a cell costs, each with its limit; None is unknown, 0 or less is no cost."""
        ratio = cell.value("perplexity_ratio")
        change = cell.value("definitional_accuracy_change")
        costs = [
            (None if ratio is None else ratio - 1, self.max_perplexity_ratio - 1),
            (None if change is None else -change, self.max_definitional_loss),
        ]
        if self.max_kl is not None:
            costs.append((cell.value("kl_neutral"), self.max_kl))
        if self.max_parity_shift is not None:
            costs.append((cell.value("parity_shift"), self.max_parity_shift))
        return costs

    def allows(self, cell: Measured) -> bool:
        return all(cost is not None and cost <= limit for cost, limit in self.costs(cell))

    def __str__(self) -> str:
        kl = "" if self.max_kl is None else f", KL at most {self.max_kl:g} nats"
        shift = self.max_parity_shift
        lean = "" if shift is None else f", common lean at most {shift:g} nats larger"
        return (
            f"perplexity ratio at most {self.max_perplexity_ratio:g}{kl}{lean} and definitional "
            f"accuracy at most {self.max_definitional_loss:g} lower"
        )


@dataclass(frozen=True)
class Selection:
    """What was chosen, of what, and why if nothing was."""

    selected: Cell | None
    reason: str
    candidates: int
    """How many there were to choose from."""
    affordable: tuple[Cell, ...]
    """Cells whose cost the budget allows."""
    best: tuple[Cell, ...]
    """The best cell of each method and action, the selected one among them."""


def select(cells: Sequence[Cell], budget: Budget) -> Selection:
    """The cell of the highest bias reduction among those within the budget.

    Of equals the cheaper one wins, then the earlier one. For comparison the best cell of each
    method and action is kept as well: within the budget where one is, else the cheapest.

    Args:
        cells: how the candidates did on validation.
        budget: what they may cost.
    """
    affordable = tuple(cell for cell in cells if budget.allows(cell))
    helpful = [cell for cell in affordable if _gain(cell) > 0]
    names = dict.fromkeys(cell.candidate.name for cell in cells)
    best = []
    for name in names:
        best.append(best_of([cell for cell in cells if cell.candidate.name == name], budget))
    if helpful:
        reason = (
            f"highest bias reduction on validation among {len(affordable)} of {len(cells)} "
            f"candidates with {budget}"
        )
        return Selection(_best(helpful), reason, len(cells), affordable, tuple(best))
    if affordable:
        reason = (
            f"none of the {len(affordable)} candidates with {budget} lowers the occupation "
            "spread on validation"
        )
    else:
        reason = (
            f"none of the {len(cells)} candidates has, on validation, {budget}; try weaker "
            "multipliers or a larger budget"
        )
    return Selection(None, reason, len(cells), affordable, tuple(best))


def best_of(cells: Sequence[M], budget: Budget) -> M:
    """The best within the budget; where none is, the cheapest."""
    within = [cell for cell in cells if budget.allows(cell)]
    return _best(within) if within else min(cells, key=_cost)


def _best(cells: Sequence[M]) -> M:
    return min(cells, key=lambda cell: (-_gain(cell), _cost(cell)))


def _gain(cell: Measured) -> float:
    value = cell.value("bias_reduction")
    return float("-inf") if value is None else value


def _cost(cell: Measured) -> float:
    value = cell.value("perplexity_ratio")
    return float("inf") if value is None else value
