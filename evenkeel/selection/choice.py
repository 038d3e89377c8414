"""The choice of an intervention on validation figures, under a budget for what it may cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from evenkeel.selection.budget import Budget, M, Measured
from evenkeel.selection.candidate import Candidate


@dataclass(frozen=True)
class Selection:
    """What was chosen, of what, and why if nothing was."""

    selected: Candidate | None
    reason: str
    candidates: int
    """How many there were to choose from."""
    affordable: tuple[Candidate, ...]
    """Candidates whose cost the budget allows."""
    best: tuple[Candidate, ...]
    """The best candidate of each method, action and gate, the selected one among them."""


def select(candidates: Sequence[Candidate], budget: Budget) -> Selection:
    """The candidate of the highest bias reduction among those within the budget.

    Only candidates that were measured on the whole prompt set can be selected. Of equals the
    cheaper one wins, then the earlier one. For comparison the best of each method, action and gate
    is kept as well: within the budget where one is, else the cheapest.

    Args:
        candidates: how conditions did on validation.
        budget: what they may cost.
    """
    affordable = tuple(candidate for candidate in candidates if budget.allows(candidate))
    helpful = [each for each in affordable if each.is_whole and gain(each) > 0]
    by_name: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_name.setdefault(candidate.condition.name, []).append(candidate)
    best = [best_of(most_measured(named), budget) for named in by_name.values()]
    number = len(candidates)
    if helpful:
        reason = (
            f"highest bias reduction on validation among {len(affordable)} of {number} candidates "
            f"with {budget}"
        )
        return Selection(_best(helpful), reason, number, affordable, tuple(best))
    if affordable:
        reason = (
            f"none of the {len(affordable)} candidates with {budget} lowers the item spread on "
            "validation"
        )
    else:
        reason = (
            f"none of the {number} candidates has, on validation, {budget}; try weaker "
            "multipliers or a larger budget"
        )
    return Selection(None, reason, number, affordable, tuple(best))


def best_of(candidates: Sequence[M], budget: Budget) -> M:
    """The best within the budget; where none is, the cheapest."""
    within = [candidate for candidate in candidates if budget.allows(candidate)]
    return _best(within) if within else min(candidates, key=_cost)


def most_measured(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those of the candidates that were measured on the largest share of the prompt set."""
    measured = [candidate for candidate in candidates if not candidate.interpolated]
    largest = max((candidate.share for candidate in measured), default=0.0)
    return [candidate for candidate in measured if candidate.share == largest]


def _best(candidates: Sequence[M]) -> M:
    return min(candidates, key=lambda candidate: (-gain(candidate), _cost(candidate)))


def gain(candidate: Measured) -> float:
    """Bias reduction; below any other where it is unknown."""
    value = candidate.value("bias_reduction")
    return float("-inf") if value is None else value


def _cost(candidate: Measured) -> float:
    value = candidate.value("perplexity_ratio")
    return float("inf") if value is None else value
