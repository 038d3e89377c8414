"""What an evaluation found, as its files say it: reports/metrics/evaluation/<axis>.json.

An estimate stands in a file as `name` and `name_ci95`, both null where it is unknown. Where the
bias of a model is withheld, `too_weak` says why and the metrics of bias are null. Lists are tables,
which `dvc metrics show` leaves out.
"""

from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from evenkeel.conditions.recipe import Recipe
from evenkeel.metrics.registry import METRICS, OTHER_DIRECTION
from evenkeel.statistics.estimate import Estimate, Measures

_NAMES = {name + suffix for name in METRICS for suffix in ("", OTHER_DIRECTION)}


class Result(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Measured(Result):
    """Estimates by metric, flat in the file."""

    measures: Measures = Field(default_factory=dict)

    def value(self, name: str) -> float | None:
        """Value of a metric; None where it is unknown or was not measured."""
        return self.measures.get(name, Estimate(None)).value

    def estimate(self, name: str) -> Estimate:
        return self.measures.get(name, Estimate(None))

    @model_serializer(mode="wrap")
    def _flat(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        record: dict[str, Any] = handler(self)
        del record["measures"]
        for name, estimate in self.measures.items():
            record |= estimate.columns(name)
        return record

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, record: Any) -> Any:
        if not isinstance(record, dict) or "measures" in record:
            return record
        measures = {
            name: Estimate(record[name], *(record.get(f"{name}_ci95") or (None, None)))
            for name in record
            if name in _NAMES
        }
        rest = {
            key: value
            for key, value in record.items()
            if key not in measures and key.removesuffix("_ci95") not in measures
        }
        return rest | {"measures": measures}


class ModelName(Result):
    name: str
    revision: str


class Competence(Result):
    """Can the model do the task: does it tell the groups apart on definitional prompts?"""

    auroc: float | None
    auroc_ci95: tuple[float, float] | None
    margin: float
    """By how much it must be above 0.5."""
    accuracy: float | None
    accuracy_ci95: tuple[float, float] | None
    chance: float
    """Accuracy of the same answer to all."""
    too_weak: str | None


class BiasTest(Result):
    """Does the unsteered model follow the reference, or the lexicon where there is none?"""

    against: str
    """reference: correlation with the reference rates; lexicon: stereotype gap."""
    p: float | None
    level: float
    verdict: str
    items: int
    minimum_detectable_correlation: float | None

    @property
    def found(self) -> bool:
        return self.p is not None and self.p < self.level


class Baseline(Measured):
    """The unsteered model on test."""

    too_weak: str | None


class Choices(Result):
    """Definitional prompts that changed sides, and the p of a sign-flip test by items."""

    lost: int
    won: int
    p: float


class Cost(Result):
    """What a condition costs, counted as `evaluation.cost` says."""

    train_tokens: int | None
    """Tokens that the model read to make it; None where that was not recorded."""
    added_operations: float
    """To each token, as share of the floating-point operations that the model itself takes."""
    added_tokens: int
    """Read before each text."""


class ConditionResult(Measured):
    """One condition on test."""

    name: str
    recipe: Recipe
    cost: Cost
    within_budget: bool
    """On validation."""
    too_weak: str | None
    bias_reduction_ci95_two_way: tuple[float, float] | None
    """Items and templates resampled together."""
    definitional_accuracy_change_ci95_two_way: tuple[float, float] | None
    spread_p: float | None
    """Permutation test that the item spread is what it was."""
    spread_p_holm: float | None
    """The same, adjusted for all conditions."""
    definitional_choices: Choices
    minimum_detectable: dict[str, float | None]
    """Smallest change of each metric that a sample like this one finds with power 0.8."""
    p_nulls: dict[str, float | None] | None
    """Rank of its bias reduction among null-direction baselines, by kind: of all kinds for the
    selected condition; for others of the hardest one, on one prompt of each item. None where there
    are none to put in its place."""


class SelectionResult(Result):
    """The budget, and what was chosen of how many."""

    split: str
    max_perplexity_ratio: float
    max_definitional_loss: float
    max_kl: float | None
    max_mean_log_odds_change: float | None
    candidates: int
    candidates_within_budget: int
    passes: int
    """Candidates times share of the validation set that each was read on: 1 is one candidate on
    the whole set."""
    reason: str


class CostMatched(Result):
    """The best of a method within some share of the budget, on validation and on test."""

    method: str
    cost_at_most: float
    """In units of the budget."""
    recipe: Recipe
    validation: Measured
    test: Measured


class Distribution(Result):
    """Of a metric over draws; None where it is unknown in all."""

    min: float | None
    q05: float | None
    median: float | None
    q95: float | None
    max: float | None


class NullResult(Result):
    """Null-direction baselines of one kind in the selected intervention's place."""

    kind: str
    draws: int
    p: float | None
    """Rank of the selected bias reduction among theirs."""
    advantage: float | None
    """By how much the selected bias reduction exceeds the largest of theirs."""
    advantage_ci95: tuple[float, float] | None
    """Over items; it does not say what other draws would do."""
    distributions: dict[str, Distribution]


class Reprobing(Result):
    """A probe trained anew on the residual stream, unsteered and steered."""

    target: str
    layer: int
    probe: str
    items: int
    unsteered: float | None
    unsteered_ci95: tuple[float, float] | None
    steered: float | None
    steered_ci95: tuple[float, float] | None
    change: float | None
    change_ci95: tuple[float, float] | None
    minimum_detectable_change: float | None


class FeatureAblation(Measured):
    """The features of the axis held at 0 on test, among random sets that fire as often."""

    site: str
    layer: int
    features: tuple[int, ...]
    firings_per_token: float
    p: float | None
    draws: int
    random_firings_per_token: float | None
    random: dict[str, Distribution]


class ChatResult(Result):
    """The test prompts as the beginning of an answer, by the model's chat template."""

    request: str
    baseline: Baseline
    selected: Baseline | None
    """Under the selected intervention."""


class EvaluationResult(Result):
    """Everything that was measured of one axis."""

    axis: str
    groups: tuple[str, ...]
    direction: str
    """In which the prompts that bias is measured on first ask."""
    model: ModelName
    sample: dict[str, dict[str, int]]
    """By split: how much the metrics rest on."""
    competence: Competence
    bias_test: BiasTest
    baseline: Baseline
    conditions: list[ConditionResult]
    """The best of each method, action and gate, of random directions and of prefixes, and what was
    selected behind the best prefix."""
    selected: ConditionResult | None
    selection: SelectionResult
    power: float
    cost_matched: list[CostMatched]
    feature_ablation: FeatureAblation | None
    nulls: list[NullResult]
    reprobing: list[Reprobing]
    chat: ChatResult | None
    auto: dict[str, Any]
    """Parameters that followed from the model, by path."""

    @model_validator(mode="after")
    def _selected_is_a_condition(self) -> Self:
        if self.selected and self.selected.name not in {row.name for row in self.conditions}:
            raise ValueError(f"selected {self.selected.name!r} is not among conditions")
        return self


class CrossAxis(Measured):
    """Vectors of another axis in the selected ones' place."""

    axis: str
    cosine: float | None
    minimum_detectable: dict[str, float | None]


class JointAxis(Result):
    """One axis under the joint intervention, on test."""

    baseline: Baseline
    selected: Baseline
    """Under all interventions together."""
    alone: Baseline
    """Under the axis's own intervention."""
    cross_axis: list[CrossAxis]
    """Of an axis of `axes`: vectors of each other axis in its own intervention's place."""


class JointCandidate(Measured):
    """A way to put the interventions together, on validation: the worst axis of each metric."""

    name: str
    within_budget: bool


class JointResult(Result):
    """All selected interventions at once: reports/metrics/evaluation/joint.json."""

    model: ModelName
    axes: dict[str, JointAxis]
    intersections: dict[str, JointAxis]
    """By pair of axes, as in gender+race."""
    composition: str
    """How the interventions are put together, as chosen on validation."""
    candidates: list[JointCandidate]
    cross: dict[str, dict[str, Measured]]
    """Intervention of an axis, measured on each axis."""
    baseline: Measured
    """Perplexity."""
    selected: Measured
