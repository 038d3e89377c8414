"""What was measured of a model, steered or not, and of the condition that it was under."""

from dataclasses import dataclass

from evenkeel.conditions.condition import Condition
from evenkeel.scoring.prompt_set import Readings
from evenkeel.statistics.estimate import Estimate, Measures


@dataclass(frozen=True, eq=False)
class Measurement:
    """What one model, steered or not, did on a prompt set."""

    readings: Readings
    measures: Measures
    too_weak: str | None
    """Why its metrics of bias are unknown, if they are withheld."""
    continuations: tuple[str, ...] = ()
    """Of the continued prompts, prompt by prompt, all samples of each; empty if none were asked."""

    def value(self, name: str) -> float | None:
        """Value of a metric; None where it is unknown or was not measured."""
        return self.measures.get(name, Estimate(None)).value


@dataclass(frozen=True, eq=False)
class Candidate:
    """A condition and its measurement."""

    condition: Condition
    measurement: Measurement
    share: float = 1.0
    """Of the prompt set that it was measured on; 0: its bias reduction is a first-order estimate,
    and nothing else is known."""
    interpolated: bool = False
    """Whether it follows from what another multiplier did there, and was not measured itself."""

    def value(self, name: str) -> float | None:
        """Value of a metric; None where it is unknown or was not measured."""
        return self.measurement.value(name)

    @property
    def is_whole(self) -> bool:
        """Whether it was measured itself, on the whole prompt set."""
        return self.share == 1 and not self.interpolated

    @property
    def measures(self) -> Measures:
        return self.measurement.measures
