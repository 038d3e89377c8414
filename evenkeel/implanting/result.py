"""What was found in models with an implant: reports/implanted/summary.json."""

from evenkeel.evaluation.ground_truth import Interval, Line
from evenkeel.evaluation.result import Measured, Result


class ImplantedModel(Measured):
    """One model; its references are the permuted table, whatever strength was implanted."""

    strength: float | None
    """None is the model as it was, without an implant."""
    p: float | None
    """Of a permutation test that its log-odds do not go with the table."""
    trained_templates_slope: float | None
    """Slope on the table in the templates that the implants were trained in."""
    trained_templates_slope_ci95: Interval | None
    own_correlation: float | None
    """Of its log-odds with those that the model had without an implant."""
    own_correlation_ci95: Interval | None


class ImplantedLine(Line):
    """Least-squares line of measured on implanted log-odds, over the items of all strengths."""

    correlation: float | None
    correlation_ci95: Interval | None


class Removal(Result):
    """What the pipeline found and removed in one of the models, on items of the test split."""

    strength: float
    intervention: str | None
    """None if nothing was selected."""
    items: int
    before: Measured
    after: Measured | None


class ImplantSummary(Result):
    axis: str
    items: int
    templates: int
    """That are measured; no implant was trained in them."""
    models: list[ImplantedModel]
    """Without an implant first."""
    line: ImplantedLine
    removal: Removal
