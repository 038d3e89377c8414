"""What every benchmark is to the code that runs it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from evenkeel.public_benchmarks.encoding import Scored
from evenkeel.public_benchmarks.measures import Measure
from evenkeel.public_benchmarks.scoring import LogProbs


class Task(ABC):
    """A benchmark read from its files and encoded for one model."""

    rules: Mapping[str, str]
    """Name of each scoring rule, and what it does in a sentence."""
    size: Mapping[str, int]
    """Items that are used and, under `left_out`, that the model's context is too short for."""
    asked: Sequence[Scored]
    """What a model has to score."""

    @abstractmethod
    def measures(self, log_probs: LogProbs) -> list[Measure]:
        """Every figure of one model, always in the same order."""
