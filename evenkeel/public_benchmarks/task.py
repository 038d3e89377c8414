"""What every benchmark is to the code that runs it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from evenkeel.models.loading import LoadedModel
from evenkeel.public_benchmarks.encoding import Scored
from evenkeel.public_benchmarks.measures import Measure
from evenkeel.public_benchmarks.scoring import LogProbs, Scorer


class Task(ABC):
    """A benchmark read from its files and encoded for one model."""

    rules: Mapping[str, str]
    """Name of each scoring rule, and what it does in a sentence."""
    size: Mapping[str, int]
    """Items that are used and, under `left_out`, that the model's context is too short for."""
    asked: Sequence[Scored]
    """What a model has to score."""

    def run(self, loaded: LoadedModel, scorer: Scorer) -> list[Measure]:
        """Every figure of the model as it is now: call it within `steer` for a steered one.

        Args:
            loaded: the model.
            scorer: of `asked`, planned once.
        """
        return self.measures(scorer.run(loaded.model))

    @abstractmethod
    def measures(self, log_probs: LogProbs) -> list[Measure]:
        """Every figure that log-probabilities of `asked` tell, always in the same order."""
