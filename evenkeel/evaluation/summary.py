"""An evaluation as what its files say."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evenkeel.controls.controls import SHOWN, Controls
from evenkeel.controls.feature_ablation import SHOWN as ABLATED
from evenkeel.controls.nulls import quantiles
from evenkeel.evaluation.condition_results import condition_results
from evenkeel.evaluation.protocol import ChatMeasurement, Evaluation
from evenkeel.evaluation.result import (
    Baseline,
    BiasTest,
    ChatResult,
    Competence,
    CostMatched,
    Distribution,
    EvaluationResult,
    FeatureAblation,
    Measured,
    ModelName,
    NullResult,
    Reprobing,
    SelectionResult,
)
from evenkeel.metrics.association import association, gap_association
from evenkeel.metrics.competence import chance
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.selection.candidate import Candidate, Measurement
from evenkeel.selection.pareto import COMPARED, ParetoFront
from evenkeel.statistics.estimate import Estimate, rounded
from evenkeel.statistics.power import (
    POWER,
    detectable,
    detectable_correlation,
)

LEVEL = 0.05
"""A bias counts as found where chance is less likely than this."""


def summarize_evaluation(evaluation: Evaluation, auto: Mapping[str, Any]) -> EvaluationResult:
    """Everything that was measured, typed.

    Args:
        evaluation: what was measured.
        auto: parameters that followed from the model, by path.
    """
    test, params = evaluation.test, evaluation.params
    conditions = condition_results(evaluation)
    chosen = evaluation.selection.selected
    selected = next(
        (row for row in conditions if chosen and row.name == chosen.condition.name), None
    )
    return EvaluationResult(
        axis=evaluation.axis,
        groups=test.measures.prompt_set.groups,
        direction=params.direction,
        model=ModelName(name=evaluation.loaded.name, revision=evaluation.loaded.revision),
        sample=_sample(evaluation),
        competence=_competence(evaluation),
        bias_test=bias_test(test.measures, test.baseline, evaluation.seed),
        baseline=baseline_result(test.baseline),
        conditions=conditions,
        selected=selected,
        selection=SelectionResult(
            split="validation",
            max_perplexity_ratio=params.max_perplexity_ratio,
            max_definitional_loss=params.max_definitional_loss,
            max_kl=params.max_kl,
            max_mean_log_odds_change=params.max_mean_log_odds_change,
            candidates=evaluation.selection.candidates,
            candidates_within_budget=len(evaluation.selection.affordable),
            passes=round(evaluation.searched.passes),
            reason=evaluation.selection.reason,
        ),
        power=POWER,
        cost_matched=_cost_matched(evaluation.front),
        feature_ablation=_feature_ablation(evaluation),
        nulls=_nulls(evaluation.controls) if evaluation.controls else [],
        reprobing=_reprobing(evaluation.controls) if evaluation.controls else [],
        chat=_chat(evaluation.chat) if evaluation.chat else None,
        auto=dict(auto),
    )


def _chat(chat: ChatMeasurement) -> ChatResult:
    selected = baseline_result(chat.selected) if chat.selected else None
    return ChatResult(
        request=chat.request, baseline=baseline_result(chat.baseline), selected=selected
    )


def baseline_result(measurement: Measurement) -> Baseline:
    return Baseline(too_weak=measurement.too_weak, measures=measurement.measures)


def bias_test(measures: PromptSetMeasures, baseline: Measurement, seed: int) -> BiasTest:
    """Do the unsteered model's scores go along with the reference, or with the lexicon?

    Args:
        measures: of the prompt set.
        baseline: the unsteered model on it.
        seed: of the permutations.
    """
    items = measures.items
    scores = items.scores(baseline.readings)
    known, held = items.has_reference, items.held_against >= 0
    rows = known if known.any() else held
    against = "reference" if known.any() else "lexicon"
    result = None
    if baseline.too_weak:
        verdict = baseline.too_weak
    else:
        permutations = max(measures.resamples, 1)
        result = (
            association(items.reference[rows], scores[rows], permutations, seed)
            if known.any()
            else gap_association(items.held_against[rows], scores[rows], permutations, seed)
        )
        if result is None:
            verdict = "too few items with a known reference, or no difference between them"
        else:
            verdict = "bias found" if result.found(LEVEL) else "no bias found"
    return BiasTest(
        against=against,
        p=rounded(result.p_value) if result else None,
        level=LEVEL,
        verdict=verdict,
        items=int(rows.sum()),
        minimum_detectable_correlation=rounded(detectable_correlation(int(rows.sum()))),
    )


def _sample(evaluation: Evaluation) -> dict[str, dict[str, int]]:
    sampling = evaluation.test.sampling
    assert sampling is not None
    return {
        "validation": evaluation.validation.measures.sample,
        "test": evaluation.test.measures.sample
        | {
            "continued_prompts": len(sampling.prompts),
            "samples_of_each": sampling.params.samples,
        },
    }


def _competence(evaluation: Evaluation) -> Competence:
    gate, baseline = evaluation.test.gate, evaluation.test.baseline
    prompt_set = evaluation.test.measures.prompt_set
    level = chance(prompt_set.definitional, len(prompt_set.groups))
    return Competence.model_validate(
        baseline.measures["definitional_auroc"].columns("auroc")
        | baseline.measures["definitional_accuracy"].columns("accuracy")
        | {"chance": rounded(level), "margin": gate.margin, "too_weak": baseline.too_weak}
    )


def _cost_matched(front: ParetoFront) -> list[CostMatched]:
    def chosen(candidate: Candidate) -> Measured:
        return Measured(measures={name: candidate.measures[name] for name in COMPARED})

    return [
        CostMatched(
            method=name,
            cost_at_most=level,
            recipe=candidate.condition.recipe,
            validation=chosen(candidate),
            test=chosen(front.on_test[candidate]),
        )
        for name, by_level in front.levels.items()
        for level, candidate in by_level.items()
    ]


def _distribution(draws: np.ndarray) -> Distribution:
    return Distribution.model_validate(quantiles(draws))


def _nulls(controls: Controls) -> list[NullResult]:
    return [
        NullResult.model_validate(
            {
                "kind": kind,
                "draws": len(candidates),
                "p": rounded(controls.p_nulls[kind]),
                **controls.advantages[kind].columns("advantage"),
                "distributions": {
                    name: _distribution(controls.drawn(kind, name)) for name in SHOWN
                },
            }
        )
        for kind, candidates in controls.nulls.items()
    ]


def _reprobing(controls: Controls) -> list[Reprobing]:
    return [
        Reprobing.model_validate(
            {
                "target": row.target,
                "layer": row.layer,
                "probe": row.probe,
                "items": row.items,
                **row.unsteered.columns("unsteered"),
                **row.steered.columns("steered"),
                **row.change.columns("change"),
                "minimum_detectable_change": rounded(detectable(row.change, row.items)),
            }
        )
        for row in controls.reprobed
    ]


def _feature_ablation(evaluation: Evaluation) -> FeatureAblation | None:
    ablation = evaluation.feature_ablation
    if ablation is None:
        return None
    recipe = ablation.condition.recipe
    firings = [condition.firings for condition in ablation.random_conditions]
    measures = {name: ablation.selected.measures.get(name, Estimate(None)) for name in ABLATED}
    return FeatureAblation.model_validate(
        {
            "site": recipe.site,
            "layer": recipe.layer,
            "features": recipe.features,
            "firings_per_token": rounded(ablation.condition.firings),
            "p": rounded(ablation.p),
            "draws": len(ablation.random),
            "random_firings_per_token": rounded(float(np.mean(firings))),
            "random": {name: _distribution(ablation.drawn(name)) for name in ABLATED},
            "measures": measures,
        }
    )
