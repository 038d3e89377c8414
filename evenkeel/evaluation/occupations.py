"""Occupation by occupation: what the model said before steering, and after."""

from jaxtyping import Float
from numpy import ndarray
from scipy.stats import t as student

from evenkeel.scoring.prompt_set import Panel, Readings
from evenkeel.statistics.estimate import Estimate, rounded

Row = dict[str, str | float | None]


def occupation_rows(panel: Panel, baseline: Readings, steered: Readings | None) -> list[Row]:
    """One row an occupation, by ascending share of women: its log-odds, each with its interval.

    The interval is Student's over the templates, since there are too few of them to resample; with
    one template it is unknown. `steered` is None where no intervention was selected.
    """
    shares = {prompt.term: prompt.share_female for prompt in panel.stereotypical}
    told = {"baseline": baseline.stereotypical}
    if steered is not None:
        told["steered"] = steered.stereotypical
    rows: list[Row] = []
    for number, name in enumerate(panel.occupations.names):
        row: Row = {"occupation": name, "share_female": rounded(shares[name])}
        own = panel.occupations.index == number
        for which in ("baseline", "steered"):
            estimate = _over_templates(told[which][own]) if which in told else Estimate(None)
            row[which] = rounded(estimate.value)
            row[f"{which}_low"] = rounded(estimate.low)
            row[f"{which}_high"] = rounded(estimate.high)
        rows.append(row)
    return sorted(rows, key=lambda row: (row["share_female"] is None, row["share_female"] or 0.0))


def _over_templates(values: Float[ndarray, " templates"]) -> Estimate:
    center = float(values.mean())
    if len(values) < 2:
        return Estimate(center)
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    reach = float(student.ppf(0.975, len(values) - 1)) * error
    return Estimate(center, center - reach, center + reach)
