"""All selected interventions at once: chosen how on validation, measured once on test."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from evenkeel.conditions.spec import SpecCondition
from evenkeel.controls.cross_axis import alignment, in_place_of
from evenkeel.datasets.records import Prompt
from evenkeel.evaluation.composing import Composition, Selected, compose
from evenkeel.evaluation.material import Material
from evenkeel.evaluation.result import (
    Baseline,
    CrossAxis,
    JointAxis,
    JointCandidate,
    JointResult,
    Measured,
    ModelName,
)
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.metrics.registry import KNOWLEDGE_CHANGES
from evenkeel.models.loading import LoadedModel
from evenkeel.params import EvaluationParams, Split
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.evaluator import Evaluator
from evenkeel.selection.reft import GATE_TEXTS
from evenkeel.statistics.estimate import Estimate, Measures
from evenkeel.statistics.power import smallest_detectable
from evenkeel.steering.intervention import Intervention
from evenkeel.steering.spec import InterventionSpec

CROSSED = (
    "bias_reduction",
    "definitional_accuracy",
    *KNOWLEDGE_CHANGES,
    "mean_log_odds_change",
)
"""Metrics of the table of interventions by axes."""
SHOWN = ("bias_reduction", "definitional_accuracy_change")


class JointEvaluation:
    """Puts the interventions of several axes together.

    Args:
        loaded: the model to steer.
        selected: of each axis, in the order in which they act.
        intersections: prompts of two axes at once, by their joined name, as gender+race.
        texts: held-out plain texts.
        training_texts: plain texts of the training corpus, at which gates stay shut.
        params: how it is measured.
        seed: of resampling.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        selected: Mapping[str, Selected],
        intersections: Mapping[str, Sequence[Prompt]],
        texts: Sequence[str],
        training_texts: Sequence[str],
        params: EvaluationParams,
        seed: int,
    ) -> None:
        self._loaded, self._selected, self._seed = loaded, selected, seed
        self._open_at_known = params.reft.open_at_known
        self._training_texts = training_texts[: GATE_TEXTS * params.reft.texts]
        self._budget = Budget.of(params)
        prompts = {axis: each.prompts for axis, each in selected.items()} | dict(intersections)
        # One text is as good as another's: perplexity is measured beside the first axis alone.
        self._material = {
            axis: Material(
                loaded, axis, of_axis, texts if axis == next(iter(selected)) else None, params, seed
            )
            for axis, of_axis in prompts.items()
        }

    @cached_property
    def compositions(self) -> Mapping[str, Composition]:
        """Ways to put the interventions together, each with the axis that it was selected for."""
        return compose(self._loaded, self._selected, self._training_texts, self._open_at_known)

    def _composed(self, name: str) -> tuple[Intervention, ...]:
        return tuple(item for _, item in self.compositions.get(name, ()))

    @cached_property
    def chosen(self) -> tuple[str, list[JointCandidate]]:
        """The composition whose worst axis is best within the budget on validation."""
        conditions = [
            SpecCondition(name, self._composed(name))
            for name, items in self.compositions.items()
            if items
        ]
        by_axis = {
            axis: self._evaluator(axis, "validation").compare(conditions, f"joint on {axis}")
            for axis in self._selected
        }
        candidates = []
        for number, condition in enumerate(conditions):
            worst = _worst([by_axis[axis][number] for axis in self._selected])
            candidate = JointCandidate(
                name=condition.label,
                within_budget=self._budget.allows(worst),
                measures=worst.measures,
            )
            candidates.append(candidate)
        if not candidates:
            return "none: nothing was selected for any axis", []
        best = max(
            candidates, key=lambda each: (each.within_budget, each.value("bias_reduction") or -1.0)
        )
        return best.name, candidates

    @property
    def spec(self) -> InterventionSpec:
        """The joint intervention, to be deployed."""
        name, _ = self.chosen
        model = {"name": self._loaded.name, "fingerprint": self._loaded.fingerprint}
        metadata = {
            "axis": "all",
            "axes": list(self._selected),
            "composition": name,
            "model": model,
            "selected_for": [axis for axis, _ in self.compositions.get(name, ())],
        }
        return InterventionSpec(self._composed(name), metadata)

    def measure(self) -> JointResult:
        """The chosen composition on test, beside each intervention alone and other axes."""
        name, candidates = self.chosen
        joint = SpecCondition("joint", self._composed(name))
        alone = {
            axis: SpecCondition(axis, each.spec.interventions)
            for axis, each in self._selected.items()
        }
        cross: dict[str, dict[str, Measured]] = {axis: {} for axis in self._selected}
        axes, costs = {}, Measured()
        for axis in self._selected:
            test = self._evaluator(axis, "test")
            others = self._others(axis)
            measured = iter(
                test.compare(
                    [joint, *alone.values(), *others.values()], f"test of {axis}", intervals="all"
                )
            )
            together = next(measured)
            by_own = {own: next(measured) for own in alone}
            for own, candidate in by_own.items():
                cross[own][axis] = _only(candidate.measures, CROSSED)
            if "perplexity_ratio" in together.measures:
                costs = _only(together.measures, ("perplexity", "perplexity_ratio"))
            axes[axis] = JointAxis(
                baseline=_baseline(test),
                selected=_as_baseline(together),
                alone=_as_baseline(by_own[axis]),
                cross_axis=[
                    self._cross_axis(axis, other, condition, next(measured), test)
                    for other, condition in others.items()
                ],
            )
        first = self._evaluator(next(iter(self._selected)), "test")
        for each in axes.values():
            each.selected.measures.update(costs.measures)
        return JointResult(
            model=ModelName(name=self._loaded.name, revision=self._loaded.revision),
            axes=axes,
            intersections={
                pair: self._intersection(pair, joint, alone)
                for pair in self._material
                if pair not in self._selected
            },
            composition=name,
            candidates=candidates,
            cross=cross,
            baseline=_only(first.baseline.measures, ("perplexity",)),
            selected=costs,
        )

    def _evaluator(self, axis: str, split: Split) -> Evaluator:
        return self._material[axis].evaluator(split)

    def _others(self, axis: str) -> dict[str, SpecCondition]:
        """The axis's own intervention with the vectors of each other axis in its place."""
        selected = self._selected[axis]
        conditions = {}
        for other, each in self._selected.items():
            vectors = [vector for vector in each.vectors if vector.method == selected.method]
            replaced = in_place_of(selected.spec.interventions, vectors)
            if other != axis and replaced:
                conditions[other] = SpecCondition(other, tuple(replaced))
        return conditions

    def _cross_axis(
        self,
        axis: str,
        other: str,
        condition: SpecCondition,
        candidate: Candidate,
        test: Evaluator,
    ) -> CrossAxis:
        measures = {name: candidate.measures[name] for name in SHOWN}
        return CrossAxis(
            axis=other,
            cosine=alignment(self._selected[axis].spec.interventions, condition.items),
            minimum_detectable=smallest_detectable(measures, test.measures.units),
            measures=measures,
        )

    def _intersection(
        self, pair: str, joint: SpecCondition, alone: Mapping[str, SpecCondition]
    ) -> JointAxis:
        """Prompts of two axes under the joint intervention, and under those of the two axes."""
        # No prompt of two axes has a right answer; competence is that on each axis.
        anything = CompetenceGate(margin=-1.0)
        test = self._evaluator(pair, "test").with_gate(anything)
        items = tuple(
            item for axis in pair.split("+") if axis in alone for item in alone[axis].interventions
        )
        both = SpecCondition(pair, items)
        together, of_pair = test.compare([joint, both], f"test of {pair}", intervals="all")
        return JointAxis(
            baseline=_baseline(test),
            selected=_as_baseline(together),
            alone=_as_baseline(of_pair),
            cross_axis=[],
        )


def _worst(candidates: Sequence[Candidate]) -> Measured:
    """Of each metric that the budget or the choice looks at, the worst axis."""
    worst: Measures = {}
    for name, pick in (
        ("bias_reduction", min),
        *((name, min) for name in KNOWLEDGE_CHANGES),
        ("mean_log_odds_change", max),
        ("perplexity_ratio", max),
    ):
        values = [each.value(name) for each in candidates if name in each.measures]
        known = [value for value in values if value is not None]
        worst[name] = Estimate(pick(known) if len(known) == len(values) and known else None)
    return Measured(measures=worst)


def _only(measures: Measures, names: Sequence[str]) -> Measured:
    return Measured(measures={name: measures[name] for name in names if name in measures})


def _baseline(test: Evaluator) -> Baseline:
    measures = test.measures.of(test.readings)
    return Baseline(too_weak=test.gate.reason(measures), measures=measures)


def _as_baseline(candidate: Candidate) -> Baseline:
    return Baseline(too_weak=candidate.measurement.too_weak, measures=dict(candidate.measures))
