"""From too little to collapse: the selected intervention at many forces."""

from collections.abc import Sequence

from evenkeel.conditions.candidates import Candidate
from evenkeel.evaluation.trial import Outcome, Trial

COLUMNS = (
    "bias_reduction",
    "definitional_accuracy",
    "perplexity_ratio",
    "kl_neutral",
    "repetition",
    "degenerate_share",
)


def dose_rows(
    candidate: Candidate | None, doses: Sequence[float], trial: Trial
) -> list[dict[str, float | None]]:
    """One row a dose: its multiplier and measures, by rising dose; dose 0 is the unsteered model.

    Args:
        candidate: what was selected; None for the unsteered model alone.
        doses: forces, in units of the candidate's own multiplier.
        trial: on validation, for these are looked at to choose by.
    """
    rows = [_row(0.0, 0.0, trial.baseline)]
    if candidate is None:
        return rows
    tried = [candidate.at(dose) for dose in sorted(doses)]
    for dose, each, outcome in zip(sorted(doses), tried, trial.of(tried), strict=True):
        rows.append(_row(dose, each.multiplier, outcome))
    return rows


def _row(dose: float, multiplier: float, outcome: Outcome) -> dict[str, float | None]:
    row: dict[str, float | None] = {"dose": dose, "multiplier": multiplier}
    for name in COLUMNS:
        estimate = outcome.measures.get(name)
        row[name] = estimate.value if estimate else None
        row[f"{name}_low"] = estimate.low if estimate else None
        row[f"{name}_high"] = estimate.high if estimate else None
    return row | {"competent": int(outcome.too_weak is None)}
