"""The sweep: every candidate on the validation panel."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn
from tqdm import tqdm

from evenkeel.evaluation.candidates import Candidate
from evenkeel.evaluation.measures import Measures, PanelMeasures
from evenkeel.steering.hooks import steer


@dataclass(frozen=True, eq=False)
class Cell:
    """A candidate and how it did on validation."""

    candidate: Candidate
    measures: Measures

    def value(self, measure: str) -> float | None:
        return self.measures[measure].value

    def row(self) -> dict[str, str | int | float | None]:
        """One line of the sweep's table."""
        candidate = self.candidate
        row: dict[str, str | int | float | None] = {
            "method": candidate.method,
            "site": candidate.site,
            "layer": candidate.layer,
            "action": candidate.action,
            "multiplier": candidate.multiplier,
        }
        for name in ("bias_reduction", "perplexity_ratio"):
            estimate = self.measures[name]
            row |= {name: estimate.value, f"{name}_low": estimate.low}
            row[f"{name}_high"] = estimate.high
        for name in ("definitional_accuracy", "definitional_margin_ratio", "parity_offset"):
            row[name] = self.measures[name].value
        return row


def sweep(
    model: nn.Module, candidates: Sequence[Candidate], measures: PanelMeasures, batch_size: int
) -> list[Cell]:
    """Measure every candidate, in the order given.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        candidates: what to try.
        measures: of the validation panel.
        batch_size: rows in a forward pass.
    """
    baseline = measures.panel.read(model, batch_size)
    cells = []
    for candidate in tqdm(candidates, desc="sweep", unit="candidate", disable=None):
        with steer(model, candidate.interventions):
            steered = measures.panel.read(model, batch_size)
        cells.append(Cell(candidate, measures.of(steered) | measures.against(baseline, steered)))
    return cells
