"""What the report is made from: the metrics and tables of the earlier stages, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict, field_validator

from evenkeel.conditions.recipe import Recipe
from evenkeel.evaluation.result import EvaluationResult, JointResult
from evenkeel.judging.result import Judging
from evenkeel.localisation.result import Localisation
from evenkeel.reporting.benchmarks import Benchmark, Harness
from evenkeel.reporting.cards import Card
from evenkeel.reporting.case_studies import CaseStudies
from evenkeel.reporting.lineage import StageNode
from evenkeel.reporting.model import ModelInfo
from evenkeel.reporting.reading import Interval, Row


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
    """sae.json, as far as the report shows it."""

    source: str
    architecture: str
    hook_name: str
    d_sae: int
    l0: float
    explained_variance: float
    ce_loss_recovered: float
    dead_fraction: float
    warnings: Sequence[str] = ()


class RecipeRow(Recipe):
    """A recipe in the columns of a table."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @field_validator("features", mode="before")
    @classmethod
    def _split(cls, cell: Any) -> Any:
        return cell.split("|") if isinstance(cell, str) else cell or ()

    @field_validator("layer", mode="before")
    @classmethod
    def _split_layers(cls, cell: Any) -> Any:
        return cell.split("|") if isinstance(cell, str) and "|" in cell else cell

    def is_recipe(self, recipe: Recipe) -> bool:
        """Whether the row is about this recipe."""
        names = Recipe.model_fields.keys() - {"prefix"}
        return all(getattr(self, name) == getattr(recipe, name) for name in names)

    def cells(self) -> dict[str, Any]:
        """The row as columns of a table."""
        return self.model_dump(exclude={"prefix"}) | self.lists()


class SweepRow(RecipeRow):
    """One candidate on validation, as sweep.csv has it."""

    share: float = 1
    """Of the validation set, that it was measured on."""
    interpolated: bool = False
    """Whether it was not measured itself, but the same at another multiplier."""
    bias_reduction: float | None
    perplexity_ratio: float | None
    definitional_accuracy: float | None
    within_budget: bool


class ParetoRow(RecipeRow):
    """The best of a method within some share of the budget, as pareto.csv has it."""

    cost: float
    """On validation, in units of the budget."""
    on_front: bool
    test_bias_reduction: float | None
    test_bias_reduction_low: float | None
    test_bias_reduction_high: float | None
    test_perplexity_ratio: float | None
    test_definitional_accuracy_change: float | None


class NullRow(Row):
    """The selected intervention or a null direction in its place, as nulls.csv has it."""

    kind: str
    draw: int
    bias_reduction: float | None


class DoseRow(Row):
    """The selected intervention at another multiplier on validation, as dose.csv has it."""

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


class ItemRow(Row):
    """An item of the test split and a group, as items.csv has it; values are log-odds in nats."""

    item: str
    group: str
    reference: float | None
    """P(group | item), as planted or as counted."""
    held_against: str | None
    baseline: float | None
    baseline_low: float | None
    baseline_high: float | None
    steered: float | None
    steered_low: float | None
    steered_high: float | None


class Continuation(Row):
    """A prompt and what followed it, as continuations.jsonl has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: str
    item: str
    prompt: str
    """Its lead-in included."""
    sample: int
    unsteered: str
    steered: str | None

    @property
    def changed(self) -> bool:
        """Whether steering made it another text."""
        return self.steered not in (None, self.unsteered)


class Share(Row):
    """In how many of some organisms a bias was found."""

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
    axis: str | None = None
    planted: float
    measured: float | None
    measured_low: float | None
    measured_high: float | None


@dataclass(frozen=True)
class AxisResults:
    """What the evaluation of one axis left."""

    evaluation: EvaluationResult
    localisation: Localisation
    judging: Judging
    sweep: list[SweepRow]
    pareto: list[ParetoRow]
    nulls: list[NullRow]
    doses: list[DoseRow]
    items: list[ItemRow]
    continuations: list[Continuation]


@dataclass(frozen=True)
class Results:
    """Everything that the page shows."""

    model: ModelInfo
    probes: Probes
    projections: list[ProjectionRow]
    sae: SaeInfo
    cards: list[Card]
    axes: dict[str, AxisResults]
    """In the order of the parameters."""
    joint: JointResult | None
    """None where one axis was evaluated alone."""
    ground_truth: GroundTruth | None
    """None where `make validate` was not run."""
    recovery: list[RecoveryRow]
    benchmarks: list[Benchmark]
    """Those that params.yaml names, and so the tasks of the harness."""
    harness: list[Harness]
    case_studies: CaseStudies
    lineage: list[StageNode]
    auto: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that followed from the model, by path."""
    inputs: dict[str, str] = field(default_factory=dict)
    """MD5 of each file that the page is made from, as dvc.lock has it."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the libraries at work."""
