"""The measures of a steered model, and whether its bias may be spoken of."""

from evenkeel.metrics.competence import CompetenceGate, withheld
from evenkeel.metrics.measures import Measures, PanelMeasures
from evenkeel.scoring.prompt_set import Readings


class Judge:
    """Measures models against the unsteered one, and withholds the bias of those too weak.

    Intervals are given for what candidates are chosen by and judged by: there are many of them.

    Args:
        measures: of the panel.
        gate: what a model must be able to do.
        baseline: what the unsteered model said to the panel.
    """

    def __init__(self, measures: PanelMeasures, gate: CompetenceGate, baseline: Readings) -> None:
        self.measures = measures
        self.gate = gate
        self.baseline = baseline
        self._weak_before = gate.reason({"definitional_accuracy": measures.accuracy(baseline)})

    def of(self, readings: Readings) -> tuple[Measures, str | None]:
        """Measures of what a model said, and why those of bias are unknown, if they are withheld.

        A model is judged only where the unsteered one can do the task as well.
        """
        quick = self.measures.values
        found = quick.of(readings) | quick.against(self.baseline, readings)
        found |= self.measures.headline(self.baseline, readings)
        found["definitional_accuracy"] = self.measures.accuracy(readings)
        too_weak = self._weak_before or self.gate.reason(found)
        return withheld(found) if too_weak else found, too_weak
