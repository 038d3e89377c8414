"""The whole evaluation of one model: choose on the validation split, measure on the test split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evenkeel.activations.store import ActivationStore
from evenkeel.conditions.candidates import make_candidates
from evenkeel.conditions.feature_candidates import feature_candidates
from evenkeel.conditions.prompting import Prefixed
from evenkeel.controls.controls import Controls, null_rows, run_controls
from evenkeel.controls.feature_ablation import FeatureAblation, ablate_features
from evenkeel.controls.nulls import RANDOM, random_vectors
from evenkeel.datasets.records import Prompt
from evenkeel.evaluation.occupations import Row, occupation_rows
from evenkeel.evaluation.splits import Splits
from evenkeel.evaluation.trial import Outcome, Trial
from evenkeel.models.loading import LoadedModel
from evenkeel.params import EvaluationParams
from evenkeel.sae.dictionary import Dictionary
from evenkeel.scoring.result_cache import NOT_KEPT, Journal
from evenkeel.selection.dose import dose_rows
from evenkeel.selection.equal_damage import EqualDamage, compare_at_equal_damage
from evenkeel.selection.gating import GateFitter
from evenkeel.selection.selection import Budget, Selection, select
from evenkeel.selection.sweep import Cell, sweep
from evenkeel.statistics.estimate import Estimate
from evenkeel.steering.spec import InterventionSpec
from evenkeel.vectors.vector import SteeringVector

SHOWN = (
    "occupation_spread",
    "planted_slope",
    "definitional_accuracy",
    "perplexity",
    "repetition",
    "bias_reduction",
    "moved_away_share",
    "definitional_accuracy_change",
    "perplexity_ratio",
    "kl_neutral",
)
"""Measures of the stage's table; evaluation.json has all."""


@dataclass(frozen=True, eq=False)
class Study:
    """What was tried, chosen and measured, and on how much."""

    loaded: LoadedModel
    params: EvaluationParams
    seed: int
    samples: dict[str, dict[str, int]]
    """By split: how many occupations, prompts, texts."""
    cells: list[Cell]
    """Every candidate on validation, random directions last."""
    budget: Budget
    selection: Selection
    """Among the candidates that mean something."""
    best: tuple[Cell, ...]
    """The best of each method, action and gate, and of random directions."""
    trial: Trial
    """On test."""
    outcomes: dict[str, Outcome]
    """On test, by method, action and gate."""
    prompting: tuple[Prefixed, Outcome] | None
    """The best prefix on validation and on test; None if none is tried."""
    equal_damage: EqualDamage
    controls: Controls | None
    """None if nothing was selected."""
    feature_ablation: FeatureAblation | None
    """On test; None if no method is sae."""
    dose: list[dict[str, Any]]
    """On validation; the unsteered model alone if nothing was selected."""

    @property
    def selected(self) -> Outcome | None:
        cell = self.selection.selected
        return self.outcomes[cell.candidate.name] if cell else None

    @property
    def plots(self) -> dict[str, list[dict[str, Any]]]:
        """What is drawn, by the name of its table; each row has the same columns."""
        return {
            "sweep": self.sweep_rows,
            "frontier": self.equal_damage.rows,
            "dose": self.dose,
            "nulls": null_rows(self.controls),
            "occupations": self.occupations,
        }

    @property
    def spec(self) -> InterventionSpec:
        """The selected intervention, to be deployed; without interventions if none was selected."""
        cell = self.selection.selected
        metadata = {
            "axis": self.params.axis,
            "model": {"name": self.loaded.name, "fingerprint": self.loaded.fingerprint},
            "reason": self.selection.reason,
        }
        if cell is None:
            return InterventionSpec((), metadata)
        return InterventionSpec(
            tuple(cell.candidate.interventions), metadata | cell.candidate.recipe
        )

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of the measures, the selected intervention next to the baseline."""
        before, after = self.trial.baseline.measures, self.selected and self.selected.measures
        rows = [
            [
                name,
                *(
                    str(measures[name]) if measures and name in measures else "-"
                    for measures in (before, after)
                ),
            ]
            for name in SHOWN
        ]
        for entry in self.controls.null_table if self.controls else []:
            rows.append([f"p_among_{entry['kind']}", "-", str(Estimate(entry["p"]))])
        return ["measure", "baseline", "selected"], rows

    @property
    def sweep_rows(self) -> list[dict[str, str | int | float | None]]:
        """Every candidate on validation, and whether the budget allows it."""
        return [cell.row() | {"within_budget": self.budget.allows(cell)} for cell in self.cells]

    @property
    def occupations(self) -> list[Row]:
        """Every occupation of the test split, before and after."""
        steered = self.selected.readings if self.selected else None
        return occupation_rows(self.trial.measures.panel, self.trial.baseline.readings, steered)

    @property
    def continuations(self) -> list[dict[str, str | int | None]]:
        """Prompts of the test split with what the model went on with, unsteered and steered.

        One row a prompt and sample.
        """
        steered = self.selected.continuations if self.selected else None
        prompts = [
            (prompt, sample)
            for prompt in self.trial.prompts
            for sample in range(self.trial.samples)
        ]
        return [
            {
                "id": prompt.id,
                "kind": prompt.kind,
                "term": prompt.term,
                "prompt": prompt.text,
                "sample": sample,
                "unsteered": before,
                "steered": steered[index] if steered else None,
            }
            for index, ((prompt, sample), before) in enumerate(
                zip(prompts, self.trial.baseline.continuations, strict=True)
            )
        ]


def run_study(
    loaded: LoadedModel,
    vectors: Sequence[SteeringVector],
    statements: ActivationStore,
    prompts: Sequence[Prompt],
    texts: Sequence[str],
    params: EvaluationParams,
    seed: int,
    dictionary: Dictionary | None = None,
    journal: Journal = NOT_KEPT,
) -> Study:
    """Sweep on validation, select, try the best of each method on test, and the controls.

    Args:
        loaded: the model to steer.
        vectors: made from that model.
        statements: activations that they are made from.
        prompts: of all splits and axes; those of `params.axis` are used.
        texts: held-out plain texts; of the first `params.heldout_texts`, every other one serves
            selection and the rest the trial.
        params: what to try and how long to try.
        seed: of sampling, resampling and null directions.
        dictionary: of the SAE whose features are tried (method sae).
        journal: keeps what the passes over the panels say.

    Raises:
        BadInputError: a split has no prompts, or there are too few texts or vectors.
    """
    model = loaded.model
    own = [prompt for prompt in prompts if prompt.axis == params.axis]
    splits = Splits(loaded, own, texts, params, seed, journal)
    validation, test = splits.measures("validation"), splits.measures("test")
    gate = splits.gate("validation")
    ablations = params.ablate_multipliers
    forces = {"add": params.add_multipliers, "ablate": ablations, "mean_ablate": ablations}
    multipliers = {action: forces[action] for action in params.actions if action in forces}
    fit_gates = GateFitter(loaded, own, vectors).fit
    candidates = make_candidates(
        vectors,
        params.axis,
        params.methods,
        params.layers,
        multipliers,
        params.gates,
        fit_gates,
    )
    if dictionary:
        latent_forces = {"clamp": params.clamp_values, "scale": params.scale_factors}
        candidates += feature_candidates(
            vectors,
            params.axis,
            dictionary,
            {action: latent_forces[action] for action in params.actions if action in latent_forces},
            params.gates,
            fit_gates,
        )
    stand_in = [v for v in vectors if (v.axis, v.method) == (params.axis, params.methods[0])]
    meaningless = make_candidates(
        random_vectors(stand_in, np.random.default_rng([seed, 0])),
        params.axis,
        [RANDOM],
        params.layers,
        multipliers,
    )
    budget = Budget(
        params.max_perplexity_ratio,
        params.max_definitional_loss,
        params.max_kl,
        params.max_parity_shift,
    )
    cells = sweep(
        model,
        candidates + meaningless,
        validation,
        gate,
        params.batch_size,
        with_kl=params.max_kl is not None,
        journal=journal,
    )
    selection = select(cells[: len(candidates)], budget)
    best = selection.best + select(cells[len(candidates) :], budget).best
    trial = splits.trial("test")
    tried = [cell.candidate for cell in best]
    outcomes = {
        candidate.name: outcome for candidate, outcome in zip(tried, trial.of(tried), strict=True)
    }
    chosen = selection.selected.candidate if selection.selected else None
    samples = {"validation": validation.sample, "test": test.sample}
    samples["test"] |= {
        "continued_prompts": len(trial.prompts),
        "samples_of_each": trial.samples,
    }
    return Study(
        loaded=loaded,
        params=params,
        seed=seed,
        samples=samples,
        cells=cells,
        budget=budget,
        selection=selection,
        best=best,
        trial=trial,
        outcomes=outcomes,
        prompting=splits.prompting(budget, trial),
        equal_damage=compare_at_equal_damage(
            model, cells, budget, test, trial.gate, params.batch_size, journal
        ),
        controls=run_controls(
            loaded,
            chosen,
            outcomes[chosen.name],
            trial,
            vectors,
            statements,
            own,
            params.null_draws,
            seed,
        )
        if chosen
        else None,
        feature_ablation=ablate_features(
            trial, vectors, params.axis, dictionary, params.null_draws, seed
        )
        if dictionary
        else None,
        dose=dose_rows(chosen, params.doses, splits.trial("validation")),
    )
