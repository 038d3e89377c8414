"""Controls of the selected intervention, on the test panel: would anything else have done it?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evenkeel.activations.store import ActivationStore
from evenkeel.conditions.candidates import Candidate
from evenkeel.controls.nulls import (
    distribution,
    null_candidates,
    rank_p,
    streams_behind,
)
from evenkeel.controls.reprobing import Reprobed, reprobe
from evenkeel.controls.transfer import cosines, transferred
from evenkeel.datasets.records import Prompt
from evenkeel.evaluation.trial import Outcome, Trial
from evenkeel.metrics.measures import Measures
from evenkeel.models.loading import LoadedModel
from evenkeel.probes.statements import statements_of
from evenkeel.selection.sweep import Cell, sweep
from evenkeel.statistics.estimate import rounded
from evenkeel.statistics.power import detectable, smallest_detectable
from evenkeel.vectors.vector import SteeringVector

SHOWN = ("bias_reduction", "definitional_accuracy_change", "perplexity_ratio")


@dataclass(frozen=True, eq=False)
class Controls:
    """What other directions do in the selected one's place, and what is still there after it."""

    units: Mapping[str, int]
    """Terms or texts behind each measure of change."""
    selected: Outcome
    nulls: Mapping[str, Sequence[Cell]]
    """Directions that mean nothing, by kind."""
    transfer: Mapping[str, Cell]
    """Vectors of other axes, by axis."""
    cosines: Mapping[str, float]
    """Of these with the selected vectors."""
    reprobed: Sequence[Reprobed]

    @property
    def null_table(self) -> list[dict[str, Any]]:
        """One entry a kind: the distribution of each measure over its draws, and the rank of the
        selected intervention's bias reduction among them as p."""
        return [self._null_entry(kind, cells) for kind, cells in self.nulls.items()]

    def _null_entry(self, kind: str, cells: Sequence[Cell]) -> dict[str, Any]:
        drawn = {
            name: np.array([cell.value(name) for cell in cells], dtype=float) for name in SHOWN
        }
        reduction = self.selected.measures["bias_reduction"].value
        return {
            "kind": kind,
            "draws": len(cells),
            "p": rounded(rank_p(reduction, drawn["bias_reduction"])),
            **{name: distribution(values) for name, values in drawn.items()},
        }

    @property
    def transfer_table(self) -> list[dict[str, Any]]:
        """One entry an axis whose vectors took the selected ones' place."""
        table = []
        for axis, cell in self.transfer.items():
            entry: dict[str, Any] = {"axis": axis, "cosine": rounded(self.cosines[axis])}
            for name in SHOWN:
                entry |= cell.measures[name].columns(name)
            entry["minimum_detectable"] = smallest_detectable(cell.measures, self.units)
            table.append(entry)
        return table

    @property
    def reprobing_table(self) -> list[dict[str, Any]]:
        """One entry a target, layer and probe."""
        return [
            {
                "target": row.target,
                "layer": row.layer,
                "probe": row.probe,
                "terms": row.terms,
                **row.unsteered.columns("unsteered"),
                **row.steered.columns("steered"),
                **row.change.columns("change"),
                "minimum_detectable_change": rounded(detectable(row.change, row.terms)),
            }
            for row in self.reprobed
        ]


def run_controls(
    loaded: LoadedModel,
    candidate: Candidate,
    outcome: Outcome,
    trial: Trial,
    vectors: Sequence[SteeringVector],
    store: ActivationStore,
    prompts: Sequence[Prompt],
    draws: int,
    seed: int,
) -> Controls:
    """Put null directions and other axes' vectors in the candidate's place, and probe anew.

    Args:
        loaded: the unsteered model.
        candidate: what was selected.
        outcome: of its trial.
        trial: on test.
        vectors: of all axes.
        store: activations of the statements that they are made from.
        prompts: of the candidate's axis and all splits.
        draws: null directions of each kind.
        seed: of the draws and resamples.
    """
    streams = {} if candidate.dictionary else streams_behind(candidate.vectors, store, loaded)
    nulls = null_candidates(candidate, statements_of(store), streams, draws, seed)
    others = transferred(candidate, vectors)
    tried = [each for kind in nulls.values() for each in kind] + list(others.values())
    cells = iter(
        sweep(
            loaded.model,
            tried,
            trial.measures,
            trial.gate,
            trial.batch_size,
            "controls",
            journal=trial.journal,
        )
    )
    return Controls(
        trial.measures.units,
        outcome,
        {kind: [next(cells) for _ in own] for kind, own in nulls.items()},
        {axis: next(cells) for axis in others},
        cosines(candidate, others),
        reprobe(
            loaded.model,
            loaded.tokenizer,
            prompts,
            candidate.interventions,
            batch_size=trial.batch_size,
            resamples=trial.measures.resamples,
            seed=seed,
        ),
    )


def null_rows(controls: Controls | None) -> list[dict[str, Any]]:
    """One row a draw, the selected intervention first; a row of unknowns if nothing was selected,
    so that the table has its columns."""
    rows: list[tuple[str, int, Measures]] = [
        ("selected", 0, controls.selected.measures if controls else {})
    ]
    for kind, cells in controls.nulls.items() if controls else []:
        rows += [(kind, draw, cell.measures) for draw, cell in enumerate(cells)]
    return [
        {
            "kind": kind,
            "draw": draw,
            **{name: measures[name].value if measures else None for name in SHOWN},
        }
        for kind, draw, measures in rows
    ]
