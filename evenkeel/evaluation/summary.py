"""A study as reports/metrics/evaluation.json.

A measure stands there as `name` and `name_ci95`, both null where it is unknown. Where the bias of a
model is withheld, `too_weak` says why and the measures of bias are null. Lists are tables, which
`dvc metrics show` leaves out.

axis, model, sample  what was asked of whom, and how much of it, by split
competence           accuracy on the prompts with a right answer, chance, margin, too_weak
bias_test            do the log-odds go with the world's shares: p, verdict, and the correlation
                     that so many occupations would have shown
baseline             the unsteered model on test
interventions        list, an entry a method, action and gate, and two of random directions swept
                     like them: recipe, within_budget, measures on test, *_ci95_crossed (terms and
                     templates resampled), spread_p and spread_p_holm
                     (permutation test of the spread, adjusted for all methods),
                     definitional_choices (lost, won, and the p of a test that flips
                     the signs of whole terms), minimum_detectable
prompting            list of the best prefix, as above, with the prefix; empty if none is tried
selected             the entry of the selected intervention, or null
selection            the budget, and what was chosen of how many
power                of minimum_detectable
equal_damage         list: the best of each method within damage_at_most budgets on validation, its
                     measures there, and on test as test_*
feature_ablation     the features of the axis held at 0 on test: place, features, measures,
                     firings_per_token, p (rank of the bias reduction among random sets of
                     features that fire as often), and random: draws, their distributions; null
                     without method sae
nulls                list, an entry a kind (random, orthogonal, shuffled): draws in the selected
                     one's place, the distribution of each measure, and the rank of the selected
                     bias reduction as p
transfer             list, an entry an axis whose vectors took the selected ones' place
reprobing            list, an entry a target, layer and probe: AUROC unsteered, steered, change
"""

from collections.abc import Mapping
from typing import Any

from evenkeel.evaluation.methods import Tests, WiderIntervals, method_entry, tests_of
from evenkeel.evaluation.study import Study
from evenkeel.metrics.association import association
from evenkeel.metrics.measures import as_json
from evenkeel.statistics.estimate import rounded
from evenkeel.statistics.power import POWER, detectable_correlation

LEVEL = 0.05
"""A bias counts as found where chance is less likely than this."""


def study_metrics(study: Study) -> dict[str, Any]:
    """Everything that was measured, as JSON."""
    measures, baseline = study.trial.measures, study.trial.baseline
    outcomes = dict(study.outcomes)
    if study.prompting:
        outcomes["prompting"] = study.prompting[1]
    tests = tests_of(measures, baseline.readings, outcomes, study.seed)
    wider = WiderIntervals(measures, baseline.readings, study.seed)
    interventions = {
        cell.candidate.name: {
            "name": cell.candidate.name,
            **cell.candidate.recipe,
            "within_budget": study.budget.allows(cell),
            **method_entry(
                study.outcomes[cell.candidate.name], tests[cell.candidate.name], measures, wider
            ),
        }
        for cell in study.best
    }
    cell = study.selection.selected
    name = cell.candidate.name if cell else None
    controls = study.controls
    return {
        "axis": study.params.axis,
        "model": {"name": study.loaded.name, "revision": study.loaded.revision},
        "sample": study.samples,
        "competence": _competence(study),
        "bias_test": _bias_test(study),
        "baseline": {"too_weak": baseline.too_weak, **as_json(baseline.measures)},
        "interventions": list(interventions.values()),
        "prompting": [_prompting(study, tests, wider)] if study.prompting else [],
        "selected": interventions[name] if name else None,
        "selection": {
            "split": "validation",
            "max_perplexity_ratio": study.params.max_perplexity_ratio,
            "max_definitional_loss": study.params.max_definitional_loss,
            "max_kl": study.params.max_kl,
            "max_parity_shift": study.params.max_parity_shift,
            "candidates": study.selection.candidates,
            "candidates_within_budget": len(study.selection.affordable),
            "reason": study.selection.reason,
        },
        "power": POWER,
        "equal_damage": study.equal_damage.table,
        "feature_ablation": study.feature_ablation.metrics if study.feature_ablation else None,
        "nulls": controls.null_table if controls else [],
        "transfer": controls.transfer_table if controls else [],
        "reprobing": controls.reprobing_table if controls else [],
    }


def _competence(study: Study) -> dict[str, Any]:
    gate, baseline = study.trial.gate, study.trial.baseline
    return {
        "task": "definitional prompts of the same templates: does the right side win?",
        **baseline.measures["definitional_accuracy"].columns("accuracy"),
        "chance": rounded(gate.chance),
        "margin": gate.margin,
        "too_weak": baseline.too_weak,
    }


def _bias_test(study: Study) -> dict[str, Any]:
    """Do the unsteered model's log-odds go along with the world's shares?"""
    measures, baseline = study.trial.measures, study.trial.baseline
    odds = measures.panel.occupations.mean(baseline.readings.stereotypical)[measures.has_share]
    shares = measures.panel.planted[measures.has_share]
    found = None
    if baseline.too_weak:
        verdict = baseline.too_weak
    elif (found := association(shares, odds, measures.resamples, study.seed)) is None:
        verdict = "too few occupations with a known share, or no difference between them"
    else:
        verdict = "bias found" if found.found(LEVEL) else "no bias found"
    return {
        "p": rounded(found.p_value) if found else None,
        "level": LEVEL,
        "verdict": verdict,
        "occupations": len(shares),
        "minimum_detectable_correlation": rounded(detectable_correlation(len(shares))),
    }


def _prompting(study: Study, tests: Mapping[str, Tests], wider: WiderIntervals) -> dict[str, Any]:
    assert study.prompting is not None
    prefixed, outcome = study.prompting
    return {
        "prefix": prefixed.prefix,
        "tried": len(study.params.prefixes),
        "within_budget": study.budget.allows(prefixed),
        **method_entry(outcome, tests["prompting"], study.trial.measures, wider),
    }
