"""Asking the model to be fair: texts put before every prompt, as one more method."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evenkeel.metrics.measures import Measures
from evenkeel.scoring.divergence import prefix_divergences
from evenkeel.scoring.prompt_set import Panel
from evenkeel.selection.judging import Judge
from evenkeel.statistics.estimate import Estimate


@dataclass(frozen=True, eq=False)
class Prefixed:
    """A prefix and how the model did behind it."""

    prefix: str
    measures: Measures
    too_weak: str | None

    def value(self, measure: str) -> float | None:
        """A measure's value; None where it is unknown or was not measured."""
        return self.measures.get(measure, Estimate(None)).value


def try_prefixes(
    model: Any,
    prefixes: Sequence[str],
    panels: Sequence[Panel],
    judge: Judge,
    batch_size: int,
    with_kl: bool = False,
) -> list[Prefixed]:
    """Measure the unsteered model behind each prefix.

    Args:
        model: the unsteered model.
        prefixes: what is put before every prompt and text.
        panels: the judge's panel behind each of them.
        judge: of the panel without a prefix.
        batch_size: rows in a forward pass.
        with_kl: measure kl_neutral as well.
    """
    found = [
        Prefixed(prefix, *judge.of(panel.read(model, batch_size)))
        for prefix, panel in zip(prefixes, panels, strict=True)
    ]
    if with_kl:
        own = judge.measures
        moved = prefix_divergences(model, own.panel, panels, batch_size)
        for prefixed, divergences in zip(found, moved, strict=True):
            prefixed.measures["kl_neutral"] = own.values.kl_neutral(divergences)
    return found
