"""The whole evaluation of one model: choose on the validation split, measure on the test split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.evaluation.candidates import Candidate, make_candidates
from evenkeel.evaluation.continuations import spread_over_kinds
from evenkeel.evaluation.gating import GateFitter
from evenkeel.evaluation.measures import PanelMeasures, as_json
from evenkeel.evaluation.occupations import Row, occupation_rows
from evenkeel.evaluation.panel import Panel
from evenkeel.evaluation.selection import Budget, Selection, select
from evenkeel.evaluation.sweep import Cell, sweep
from evenkeel.evaluation.trial import Outcome, Trial
from evenkeel.models.loading import LoadedModel
from evenkeel.params import EvaluationParams
from evenkeel.steering.spec import InterventionSpec
from evenkeel.synthesis.records import Prompt, Split
from evenkeel.vectors.vector import SteeringVector


@dataclass(frozen=True, eq=False)
class Study:
    """What was tried, chosen and measured, and on how much."""

    loaded: LoadedModel
    params: EvaluationParams
    samples: dict[str, dict[str, int]]
    """By split: how many occupations, prompts, texts."""
    cells: list[Cell]
    selection: Selection
    trial: Trial
    outcomes: dict[str, Outcome]
    """On test, by method and action."""

    @property
    def selected(self) -> Outcome | None:
        cell = self.selection.selected
        return self.outcomes[cell.candidate.name] if cell else None

    @property
    def metrics(self) -> dict[str, Any]:
        """Everything that was measured on test, as JSON."""
        interventions = {
            cell.candidate.name: _recipe(cell.candidate)
            | {"within_budget": cell in self.selection.affordable}
            | as_json(self.outcomes[cell.candidate.name].measures)
            for cell in self.selection.best
        }
        cell = self.selection.selected
        name = cell.candidate.name if cell else None
        return {
            "axis": self.params.axis,
            "model": {"name": self.loaded.name, "revision": self.loaded.revision},
            "sample": self.samples,
            "baseline": as_json(self.trial.baseline.measures),
            "interventions": interventions,
            "selected": {"name": name} | interventions[name] if name else None,
            "selection": {
                "split": "validation",
                "max_perplexity_ratio": self.params.max_perplexity_ratio,
                "max_definitional_loss": self.params.max_definitional_loss,
                "candidates": len(self.cells),
                "candidates_within_budget": len(self.selection.affordable),
                "reason": self.selection.reason,
            },
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
            tuple(cell.candidate.interventions), metadata | _recipe(cell.candidate)
        )

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of the measures, the selected intervention next to the baseline."""
        before, after = self.trial.baseline.measures, self.selected and self.selected.measures
        rows: list[list[str]] = []
        for name in after or before:
            cells = [
                str(measures[name]) if measures and name in measures else "-"
                for measures in (before, after)
            ]
            rows.append([name, *cells])
        return ["measure", "baseline", "selected"], rows

    @property
    def sweep_rows(self) -> list[dict[str, str | int | float | None]]:
        """Every candidate on validation, and whether the budget allows it."""
        affordable = self.selection.affordable
        return [cell.row() | {"within_budget": cell in affordable} for cell in self.cells]

    @property
    def occupations(self) -> list[Row]:
        """Every occupation of the test split, before and after."""
        steered = self.selected.readings if self.selected else None
        return occupation_rows(self.trial.measures.panel, self.trial.baseline.readings, steered)

    @property
    def continuations(self) -> list[dict[str, str | None]]:
        """Prompts of the test split with what the model went on with, unsteered and steered."""
        steered = self.selected.continuations if self.selected else None
        return [
            {
                "id": prompt.id,
                "kind": prompt.kind,
                "term": prompt.term,
                "prompt": prompt.text,
                "unsteered": before,
                "steered": steered[index] if steered else None,
            }
            for index, (prompt, before) in enumerate(
                zip(self.trial.prompts, self.trial.baseline.continuations, strict=True)
            )
        ]


def run_study(
    loaded: LoadedModel,
    vectors: Sequence[SteeringVector],
    prompts: Sequence[Prompt],
    texts: Sequence[str],
    params: EvaluationParams,
    seed: int,
) -> Study:
    """Sweep on validation, select, and try the best of each method and action on test.

    Args:
        loaded: the model to steer.
        vectors: made from that model.
        prompts: of all splits and axes; those of `params.axis` are used.
        texts: held-out plain texts; of the first `params.heldout_texts`, every other one serves
            selection and the rest the trial.
        params: what to try and how long to try.
        seed: of sampling and resampling.

    Raises:
        BadInputError: a split has no prompts, or there are too few texts or vectors.
    """
    texts = texts[: params.heldout_texts]
    if len(texts) < 2:
        raise BadInputError(
            f"the held-out file has {len(texts)} texts of kind 'plain'; perplexity needs at least "
            "one for selection and one for the report, so give it more (dataset.heldout_texts)"
        )
    own = [prompt for prompt in prompts if prompt.axis == params.axis]

    def measures(split: Split, half: Sequence[str]) -> PanelMeasures:
        of_split = [prompt for prompt in own if prompt.split == split]
        try:
            panel = Panel.of(loaded.model, loaded.tokenizer, of_split, half)
        except BadInputError as error:
            raise BadInputError(f"{split} split of axis {params.axis!r}: {error}") from error
        return PanelMeasures(panel, params.resamples, seed)

    validation, test = measures("validation", texts[0::2]), measures("test", texts[1::2])
    forces = {"add": params.add_multipliers, "ablate": params.ablate_multipliers}
    candidates = make_candidates(
        vectors,
        params.axis,
        params.methods,
        params.layers,
        {action: forces[action] for action in params.actions},
        params.gates,
        GateFitter(loaded, own, vectors).fit,
    )
    cells = sweep(loaded.model, candidates, validation, params.batch_size)
    budget = Budget(params.max_perplexity_ratio, params.max_definitional_loss)
    selection = select(cells, budget)
    continued = [prompt for prompt in own if prompt.split == "test"]
    trial = Trial(
        loaded.model,
        loaded.tokenizer,
        test,
        spread_over_kinds(continued, params.generation.prompts),
        params.generation,
        batch_size=params.batch_size,
        resamples=params.resamples,
        seed=seed,
    )
    outcomes = {cell.candidate.name: trial.of(cell.candidate) for cell in selection.best}
    samples = {"validation": validation.sample, "test": test.sample}
    samples["test"]["continued_prompts"] = len(trial.prompts)
    return Study(loaded, params, samples, cells, selection, trial, outcomes)


def _recipe(candidate: Candidate) -> dict[str, Any]:
    return {
        "method": candidate.method,
        "site": candidate.site,
        "layer": candidate.layer,
        "action": candidate.action,
        "multiplier": candidate.multiplier,
        "gate": candidate.gate,
    }
