"""What the report is made from: the metrics and tables of the earlier stages, checked."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from evenkeel.reporting.benchmark_results import Benchmark, Harness
from evenkeel.reporting.cards import Card
from evenkeel.reporting.lineage import StageNode
from evenkeel.reporting.reading import Interval, Row

Measures = dict[str, Any]


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


class ProjectionRow(Row):
    """A test statement on two principal components, as projections.csv has it."""

    axis: str
    site: str
    layer: int
    group: str
    label: str
    pc1: float
    pc2: float
    pc1_variance: float
    pc2_variance: float


class SaeInfo(Row):
    """sae.json, as far as the report tells of it."""

    source: str
    architecture: str
    hook_name: str
    d_sae: int
    l0: float
    explained_variance: float
    ce_loss_recovered: float
    dead_fraction: float


class SelectionRule(Row):
    max_perplexity_ratio: float
    max_definitional_loss: float
    max_parity_shift: float | None
    candidates: int
    candidates_within_budget: int
    reason: str


class Evaluation(Row):
    """evaluation.json."""

    axis: str
    sample: dict[str, dict[str, int]]
    competence: Measures
    bias_test: Measures
    baseline: Measures
    interventions: list[Measures]
    selected: Measures | None
    selection: SelectionRule
    prompting: list[Measures]
    nulls: list[Measures]
    transfer: list[Measures]
    reprobing: list[Measures]


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
    definitional_accuracy: float | None
    within_budget: bool


class FrontierRow(Row):
    """The best of a method within some damage, as evaluation_frontier.csv has it."""

    method: str
    layer: str
    action: str
    multiplier: float
    gate: str
    damage: float
    on_frontier: bool
    test_bias_reduction: float | None
    test_bias_reduction_low: float | None
    test_bias_reduction_high: float | None
    test_perplexity_ratio: float | None
    test_definitional_accuracy_change: float | None


class NullRow(Row):
    """The selected intervention or a direction in its place, as evaluation_nulls.csv has it."""

    kind: str
    draw: int
    bias_reduction: float | None


class DoseRow(Row):
    """The selected intervention at some force on validation, as evaluation_dose.csv has it."""

    dose: float
    bias_reduction: float | None
    bias_reduction_low: float | None
    bias_reduction_high: float | None
    definitional_accuracy: float | None
    definitional_accuracy_low: float | None
    definitional_accuracy_high: float | None
    degenerate_share: float | None
    degenerate_share_low: float | None
    degenerate_share_high: float | None


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


class Share(Row):
    """How many of some organisms a bias was found in."""

    found: int
    of: int
    share_ci95: Interval | None


class Line(Row):
    """Measured strength on planted strength."""

    slope: float | None
    slope_ci95: Interval | None = None


class GroundTruth(Row):
    """validation/summary.json: organisms whose bias is known, measured as any model is."""

    organisms: int
    too_weak: int
    level: float
    false_positives: Share
    detected: Share
    recovery: Line


class RecoveryRow(Row):
    """One organism of the validation, as recovery.csv has it."""

    organism: str
    planted: float
    measured: float | None
    measured_low: float | None
    measured_high: float | None


class Continuation(BaseModel):
    """A prompt and what followed it, as continuations.jsonl has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: str
    term: str
    prompt: str
    sample: int
    unsteered: str
    steered: str | None

    @property
    def changed(self) -> bool:
        """Whether something steered, and the text became another one."""
        return self.steered not in (None, self.unsteered)


@dataclass(frozen=True)
class Results:
    """Everything that the page tells of."""

    model: ModelInfo
    probes: Probes
    projections: list[ProjectionRow]
    sae: SaeInfo
    cards: list[Card]
    evaluation: Evaluation
    sweep: list[SweepRow]
    frontier: list[FrontierRow]
    nulls: list[NullRow]
    doses: list[DoseRow]
    occupations: list[OccupationRow]
    continuations: list[Continuation]
    ground_truth: GroundTruth | None
    """None where `make validate` was not run."""
    recovery: list[RecoveryRow]
    benchmarks: list[Benchmark]
    """Those that params.yaml names, and so the tasks of the harness."""
    harness: list[Harness]
    lineage: list[StageNode]
    inputs: dict[str, str]
    """MD5 of each file that the page is made from, as dvc.lock has it."""
    versions: dict[str, str]
    """Of the libraries at work."""
