"""The sweep: many candidates on one panel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import nn

from evenkeel.conditions.candidates import Candidate
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.metrics.measures import Measures, PanelMeasures
from evenkeel.scoring.divergence import text_divergences
from evenkeel.scoring.prefix_reuse import first_affected, recorded, resumed
from evenkeel.scoring.prompt_set import Panel, Readings
from evenkeel.scoring.result_cache import NOT_KEPT, Journal
from evenkeel.scoring.token_reads import read_batch
from evenkeel.selection.judging import Judge
from evenkeel.statistics.estimate import Estimate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention
from evenkeel.steering.spec import digest_of


@dataclass(frozen=True, eq=False)
class Cell:
    """A candidate and how it did on a panel."""

    candidate: Candidate
    measures: Measures
    too_weak: str | None = None
    """Why its measures of bias are unknown, if they are withheld."""

    def value(self, measure: str) -> float | None:
        """A measure's value; None where it is unknown or was not measured."""
        return self.measures.get(measure, Estimate(None)).value

    def row(self) -> dict[str, str | int | float | None]:
        """One line of the sweep's table."""
        row: dict[str, str | int | float | None] = {**self.candidate.recipe}
        for name in ("bias_reduction", "perplexity_ratio"):
            estimate = self.measures[name]
            row |= {name: estimate.value, f"{name}_low": estimate.low}
            row[f"{name}_high"] = estimate.high
        for name in (
            "definitional_accuracy",
            "definitional_accuracy_change",
            "definitional_margin_ratio",
            "parity_offset",
            "parity_shift",
            "moved_away_share",
        ):
            row[name] = self.measures[name].value
        row["kl_neutral"] = self.value("kl_neutral")
        return row | {"competent": int(self.too_weak is None)}


def sweep(
    model: nn.Module,
    candidates: Sequence[Candidate],
    measures: PanelMeasures,
    gate: CompetenceGate,
    batch_size: int,
    title: str = "sweep",
    with_kl: bool = False,
    journal: Journal = NOT_KEPT,
) -> list[Cell]:
    """Measure every candidate, in the order given.

    Intervals are given for what candidates are chosen by.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        candidates: what to try.
        measures: of the panel.
        gate: withholds the bias of a model that cannot do the task.
        batch_size: rows in a forward pass.
        title: of the progress bar.
        with_kl: measure kl_neutral as well, for half a panel more.
        journal: keeps what each pass says.
    """
    edits = [candidate.interventions for candidate in candidates]
    baseline, steered = read_steered(model, edits, measures.panel, batch_size, title, journal)
    judge = Judge(measures, gate, baseline)
    cells = [
        Cell(candidate, *judge.of(readings))
        for candidate, readings in zip(candidates, steered, strict=True)
    ]
    if with_kl:
        moved = text_divergences(model, edits, measures.panel.texts, batch_size, journal)
        for cell, divergences in zip(cells, moved, strict=True):
            cell.measures["kl_neutral"] = measures.values.kl_neutral(divergences)
    return cells


def read_steered(
    model: nn.Module,
    edits: Sequence[Sequence[Intervention]],
    panel: Panel,
    batch_size: int,
    title: str,
    journal: Journal = NOT_KEPT,
) -> tuple[Readings, list[Readings]]:
    """Ask the unsteered model, and the model under each edit, everything in a panel.

    Each batch goes through the unsteered model once and then, from the first block that it edits
    on, through the model under each edit.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        edits: interventions that act together.
        panel: what is asked.
        batch_size: rows in a forward pass.
        title: of the progress bar.
        journal: keeps what each pass says.

    Returns:
        What the unsteered model said, and what it said under each edit, in the order given.
    """
    batches = panel.batches(batch_size)
    sizes = [len(batch.place) for batch in batches]

    def run(number: int, begun: int) -> Iterator[Float[ndarray, " reads"]]:
        batch = batches[number]
        with recorded(model) as outputs:
            unsteered = read_batch(model, batch)
        if not begun:
            yield unsteered
        for interventions in edits[max(0, begun - 1) :]:
            start = first_affected(interventions)
            with steer(model, interventions), resumed(model, outputs, start):
                steered = read_batch(model, batch)
            yield steered

    def question() -> list[Any]:
        return ["readings", [digest_of(edit) for edit in edits], [vars(each) for each in batches]]

    found = np.empty((1 + len(edits), sum(sizes)))
    for batch, number, log_probs in journal.results(title, question, sizes, len(found), run):
        found[number, batches[batch].place] = log_probs
    unsteered, *steered = [panel.readings(reads) for reads in found]
    return unsteered, steered
