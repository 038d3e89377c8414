"""The dose curve: the selected intervention at other multipliers, on validation."""

from collections.abc import Sequence

from evenkeel.conditions.condition import DosedCondition
from evenkeel.selection.candidate import Measurement
from evenkeel.selection.evaluator import Evaluator
from evenkeel.statistics.estimate import Estimate

COLUMNS = (
    "bias_reduction",
    "definitional_accuracy",
    "perplexity_ratio",
    "kl_neutral",
    "repetition",
    "degenerate_share",
)


def dose_rows(
    condition: DosedCondition | None,
    doses: Sequence[float],
    validation: Evaluator,
) -> list[dict[str, float | None]]:
    """One row a dose: its multiplier and metrics, by rising dose; dose 0 is the unsteered model.

    Args:
        condition: what was selected; None for the unsteered model alone.
        doses: multipliers, in units of the condition's own.
        validation: for these are looked at to choose by.
    """
    rows = [_row(0.0, 0.0, validation.baseline)]
    if condition is None:
        return rows
    tried = [condition.at(dose) for dose in sorted(doses)]
    for dose, candidate in zip(sorted(doses), validation.measure(tried, "doses"), strict=True):
        multiplier = candidate.condition.recipe.multiplier
        assert multiplier is not None
        rows.append(_row(dose, multiplier, candidate.measurement))
    return rows


def _row(dose: float, multiplier: float, measurement: Measurement) -> dict[str, float | None]:
    row: dict[str, float | None] = {"dose": dose, "multiplier": multiplier}
    for name in COLUMNS:
        row |= measurement.measures.get(name, Estimate(None)).cells(name)
    return row | {"competent": int(measurement.too_weak is None)}
