"""Conditions on the test split, as the evaluation's file says them."""

from typing import Any

from evenkeel.conditions.condition import Condition
from evenkeel.evaluation.cost import CostMeter
from evenkeel.evaluation.protocol import Evaluation
from evenkeel.evaluation.result import Choices, ConditionResult
from evenkeel.metrics.bias import bias_reduction, item_spread
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.scoring.prompt_set import Readings
from evenkeel.selection.candidate import Candidate, Measurement
from evenkeel.statistics.bootstrap import mean
from evenkeel.statistics.estimate import rounded
from evenkeel.statistics.power import smallest_detectable
from evenkeel.statistics.significance import changed_choices, holm, scale_change
from evenkeel.statistics.two_way import TwoWayBootstrap


def condition_results(evaluation: Evaluation) -> list[ConditionResult]:
    """Every condition on test: measures, tests against no change, intervals, and cost."""
    test, measures = evaluation.test, evaluation.test.measures
    before = test.readings
    scores = measures.items.scores(before)
    p_values = {
        candidate.condition.name: None
        if (after := evaluation.measured[candidate.condition]).measurement.too_weak
        else scale_change(
            item_spread,
            scores,
            measures.items.scores(after.measurement.readings),
            measures.resamples,
            evaluation.seed,
        )
        for candidate in evaluation.best
    }
    adjusted = holm(p_values)
    wider = _TwoWay(measures, before, evaluation.seed)
    meter = CostMeter(evaluation.loaded, measures.prompt_set.stereotypical[0].text)
    rows = []
    for candidate in evaluation.best:
        name, result = candidate.condition.name, evaluation.measured[candidate.condition]
        rows.append(
            ConditionResult(
                name=name,
                recipe=candidate.condition.recipe,
                cost=meter.cost(candidate.condition),
                within_budget=evaluation.budget.allows(candidate),
                too_weak=result.measurement.too_weak,
                measures=result.measures,
                spread_p=rounded(p_values[name]),
                spread_p_holm=rounded(adjusted[name]),
                definitional_choices=_choices(measures, before, result),
                minimum_detectable=smallest_detectable(result.measures, measures.units),
                p_nulls=_p_nulls(evaluation, candidate.condition),
                **wider.of(result.measurement),
            )
        )
    return rows


def _p_nulls(evaluation: Evaluation, condition: Condition) -> dict[str, float | None] | None:
    controls = evaluation.controls
    is_selected = controls is not None and controls.selected.condition is condition
    found = controls.p_nulls if controls and is_selected else evaluation.p_nulls.get(condition)
    return {kind: rounded(p) for kind, p in found.items()} if found else None


def _choices(measures: PromptSetMeasures, before: Readings, result: Candidate) -> Choices:
    margins = map(measures.knowledge.margins, (before, result.measurement.readings))
    right = [each > 0 for each in margins]
    gains = measures.knowledge.items.sum(right[1].astype(float) - right[0])
    choices = changed_choices(right[0], right[1], gains)
    return Choices(lost=choices.lost, won=choices.won, p=float(f"{choices.p:.6g}"))


class _TwoWay:
    """Intervals of the two headline changes that hold for other templates as well."""

    def __init__(self, measures: PromptSetMeasures, before: Readings, seed: int) -> None:
        self._measures, self._before = measures, before
        items, definitional = measures.items.prompts, measures.prompt_set.definitional
        self._items, self._definitions = (
            TwoWayBootstrap.of(
                [prompt.item for prompt in prompts],
                [prompt.template for prompt in prompts],
                measures.resamples,
                seed,
            )
            for prompts in (items, definitional)
        )

    def of(self, measurement: Measurement) -> dict[str, Any]:
        """The intervals, None where prompts are not crossed, the bias is withheld, or no answer
        changed: resampling what is all the same has no width."""
        measures, before, after = self._measures, self._before, measurement.readings
        reduction = change = None
        if self._items and not measurement.too_weak:
            reduction = self._items.interval(
                bias_reduction,
                measures.items.prompt_scores(before),
                measures.items.prompt_scores(after),
            )
        if self._definitions:
            right = [
                (measures.knowledge.margins(read) > 0).astype(float) for read in (before, after)
            ]
            won = right[1] - right[0]
            change = self._definitions.interval(mean, won) if won.any() else None
        return {
            f"{name}_ci95_two_way": tuple(float(f"{end:.6g}") for end in ends) if ends else None
            for name, ends in (
                ("bias_reduction", reduction),
                ("definitional_accuracy_change", change),
            )
        }
