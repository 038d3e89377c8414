"""Item by item: the model's scores before steering, and after."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.stats import t as student

from evenkeel.metrics.measures import ItemMeasures
from evenkeel.scoring.prompt_set import Readings
from evenkeel.statistics.estimate import Estimate, rounded

Row = dict[str, str | float | None]


def item_rows(
    measures: ItemMeasures, groups: tuple[str, ...], baseline: Readings, steered: Readings | None
) -> list[Row]:
    """One row an item and group: log-odds of the group against the others, each with its interval.

    Of two groups only the first, since the second is its negative. By rising reference, where it is
    known. The interval is Student's over the templates, since there are too few of them to
    resample; with one template it is unknown.

    Args:
        measures: of the items.
        groups: of the axis.
        baseline: of the unsteered model.
        steered: of the selected intervention; None where none was selected.
    """
    shown = groups[:1] if len(groups) == 2 else groups
    scale = len(groups) / (len(groups) - 1)  # from a centred score to log-odds against the others
    scores = {"baseline": scale * measures.prompt_scores(baseline)}
    if steered is not None:
        scores["steered"] = scale * measures.prompt_scores(steered)
    rows: list[Row] = []
    for number, name in enumerate(measures.items.names):
        of_item = measures.items.index == number
        prompt = measures.prompts[int(np.flatnonzero(of_item)[0])]
        for column, group in enumerate(shown):
            rate = (prompt.reference or {}).get(group)
            row: Row = {
                "item": name,
                "group": group,
                "reference": rounded(rate),
                "held_against": prompt.held_against,
            }
            for which in ("baseline", "steered"):
                estimate = Estimate(None)
                if which in scores:
                    estimate = _over_templates(scores[which][of_item, column])
                row |= {key: rounded(value) for key, value in estimate.cells(which).items()}
            rows.append(row)
    return sorted(rows, key=lambda row: (row["reference"] is None, row["reference"] or 0.0))


def _over_templates(values: Float[ndarray, " templates"]) -> Estimate:
    center = float(values.mean())
    if len(values) < 2:
        return Estimate(center)
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    reach = float(student.ppf(0.975, len(values) - 1)) * error
    return Estimate(center, center - reach, center + reach)
