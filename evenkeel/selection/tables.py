"""The sweep as a table: one row a candidate."""

from typing import Any

from evenkeel.conditions.recipe import Recipe
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate
from evenkeel.statistics.estimate import Estimate

VALUES = (
    "definitional_accuracy",
    "definitional_accuracy_change",
    "definitional_margin_ratio",
    "mean_log_odds",
    "mean_log_odds_change",
    "moved_away_share",
    "kl_neutral",
)


def recipe_cells(recipe: Recipe) -> dict[str, Any]:
    """A recipe as columns of a table."""
    return recipe.model_dump(exclude={"prefix"}) | recipe.lists()


def candidate_row(candidate: Candidate, budget: Budget) -> dict[str, Any]:
    """A candidate's recipe and metrics on validation, and whether the budget allows it."""
    row = recipe_cells(candidate.condition.recipe)
    row |= {"share": candidate.share, "interpolated": int(candidate.interpolated)}
    for name in ("bias_reduction", "perplexity_ratio"):
        row |= candidate.measures.get(name, Estimate(None)).cells(name)
    row |= {name: candidate.value(name) for name in VALUES}
    row["competent"] = int(candidate.measurement.too_weak is None)
    row["within_budget"] = budget.allows(candidate)
    return row
