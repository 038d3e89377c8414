"""The methods' table: each method's best on test, with the tests that its place among many asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenkeel.evaluation.trial import Outcome
from evenkeel.metrics.bias import bias_reduction
from evenkeel.metrics.measures import PanelMeasures, as_json
from evenkeel.scoring.prompt_set import Readings
from evenkeel.statistics.bootstrap import mean
from evenkeel.statistics.clusters import Clusters
from evenkeel.statistics.estimate import rounded
from evenkeel.statistics.power import smallest_detectable
from evenkeel.statistics.significance import ChangedChoices, changed_choices, holm, spread_change
from evenkeel.statistics.two_way import TwoWayBootstrap


@dataclass(frozen=True)
class Tests:
    """Is a change of the spread, and of the right choices, more than chance?"""

    spread_p: float | None
    """Permutation test that the spread is what it was."""
    spread_p_holm: float | None
    """The same, adjusted for all methods of the table."""
    choices: ChangedChoices
    """Definitional prompts that were right before and not after, and the other way round."""

    def as_json(self) -> dict[str, Any]:
        return {
            "spread_p": rounded(self.spread_p),
            "spread_p_holm": rounded(self.spread_p_holm),
            "definitional_choices": self.choices.as_json(),
        }


def tests_of(
    measures: PanelMeasures, baseline: Readings, outcomes: Mapping[str, Outcome], seed: int
) -> dict[str, Tests]:
    """The tests of each method; a spread that is withheld is not tested.

    Args:
        measures: of the test panel.
        baseline: what the unsteered model said.
        outcomes: by method.
        seed: of the permutations.
    """
    occupations = measures.panel.occupations
    p_values = {
        name: None
        if outcome.too_weak
        else spread_change(
            occupations.mean(baseline.stereotypical),
            occupations.mean(outcome.readings.stereotypical),
            measures.resamples,
            seed,
        )
        for name, outcome in outcomes.items()
    }
    adjusted = holm(p_values)
    return {
        name: Tests(
            p_values[name],
            adjusted[name],
            _choices(measures.panel.definitions, baseline, outcome.readings),
        )
        for name, outcome in outcomes.items()
    }


def _choices(definitions: Clusters, baseline: Readings, steered: Readings) -> ChangedChoices:
    before, after = baseline.margins > 0, steered.margins > 0
    return changed_choices(before, after, definitions.sum(after.astype(float) - before))


class WiderIntervals:
    """Intervals of the two headline changes that hold for other templates as well.

    Args:
        measures: of the test panel.
        baseline: what the unsteered model said.
        seed: of the resamples.
    """

    def __init__(self, measures: PanelMeasures, baseline: Readings, seed: int) -> None:
        panel, resamples = measures.panel, measures.resamples
        self._baseline = baseline
        self._occupations = TwoWayBootstrap.of(panel.stereotypical, resamples, seed)
        self._definitions = TwoWayBootstrap.of(panel.definitional, resamples, seed)

    def of(self, outcome: Outcome) -> dict[str, list[float | None] | None]:
        """The intervals, None where prompts are not crossed, the bias is withheld, or no answer
        changed: resampling what is all the same has no width."""
        before, after = self._baseline, outcome.readings
        reduction = change = None
        if self._occupations and not outcome.too_weak:
            reduction = self._occupations.interval(
                bias_reduction, before.stereotypical, after.stereotypical
            )
        if self._definitions:
            won = (after.margins > 0).astype(float) - (before.margins > 0)
            change = self._definitions.interval(mean, won) if won.any() else None
        return {
            f"{name}_ci95_crossed": [rounded(end) for end in interval] if interval else None
            for name, interval in (
                ("bias_reduction", reduction),
                ("definitional_accuracy_change", change),
            )
        }


def method_entry(
    outcome: Outcome, tests: Tests, measures: PanelMeasures, wider: WiderIntervals
) -> dict[str, Any]:
    """What evaluation.json says of one method on test."""
    return {
        "too_weak": outcome.too_weak,
        **as_json(outcome.measures),
        **wider.of(outcome),
        **tests.as_json(),
        "minimum_detectable": smallest_detectable(outcome.measures, measures.units),
    }
