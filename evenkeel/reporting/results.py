"""What the report is made from: the metrics and tables of the earlier stages, checked."""

from typing import Any

from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float]
Measures = dict[str, Any]


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ProbeRow(Row):
    """One probe, as probes.json has it."""

    layer: int
    site: str
    accuracy: float
    accuracy_ci95: Interval
    auroc: float
    auroc_ci95: Interval
    control_accuracy: float
    selectivity: float
    n_test: int


class AxisProbes(Row):
    best: ProbeRow
    layers: list[ProbeRow]


class Probes(Row):
    """probes.json."""

    axes: dict[str, AxisProbes]


class ModelInfo(Row):
    """model.json, as far as the report tells of it."""

    source: str
    name: str
    revision: str
    family: str
    layers: int
    parameters: int
    planted_correlation: float | None = None
    planted_correlation_ci95: Interval | None = None
    definitional_accuracy: float | None = None
    definitional_accuracy_ci95: Interval | None = None
    heldout_perplexity: float | None = None


class SelectionRule(Row):
    max_perplexity_ratio: float
    max_definitional_loss: float
    candidates: int
    candidates_within_budget: int
    reason: str


class Evaluation(Row):
    """evaluation.json."""

    axis: str
    sample: dict[str, dict[str, int]]
    baseline: Measures
    interventions: dict[str, Measures]
    selected: Measures | None
    selection: SelectionRule


class SweepRow(Row):
    """One candidate on validation, as evaluation_sweep.csv has it."""

    method: str
    site: str
    layer: str
    action: str
    multiplier: float
    gate: str
    bias_reduction: float | None
    perplexity_ratio: float | None


class OccupationRow(Row):
    """One occupation of the test split, as evaluation_occupations.csv has it."""

    occupation: str
    share_female: float | None
    baseline: float | None
    baseline_low: float | None
    baseline_high: float | None
    steered: float | None
    steered_low: float | None
    steered_high: float | None


class Continuation(BaseModel):
    """A prompt and what followed it, as continuations.jsonl has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: str
    term: str
    prompt: str
    unsteered: str
    steered: str | None


class Results(Row):
    """Everything that the page tells of."""

    model: ModelInfo
    probes: Probes
    evaluation: Evaluation
    sweep: list[SweepRow]
    occupations: list[OccupationRow]
    continuations: list[Continuation]
