"""What can be compared: a model under interventions, behind a prefix, or both."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

from evenkeel.conditions.recipe import Recipe
from evenkeel.steering.hooks import steered
from evenkeel.steering.intervention import Intervention


class Condition(ABC):
    """What a model is put under."""

    @property
    @abstractmethod
    def recipe(self) -> Recipe: ...

    @property
    def interventions(self) -> Sequence[Intervention]:
        """What is done to the residual stream, in order."""
        return ()

    @property
    def prefix(self) -> str:
        """What stands before every prompt."""
        return self.recipe.prefix

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def train_tokens(self) -> int | None:
        """Tokens that the model read to make it, as `models.token_count` counts them; None where
        that was not recorded."""
        return 0

    @property
    def second_reading(self) -> str | None:
        """What stands before each text where the model reads every text once more."""
        return None

    @property
    def apart(self) -> bool:
        """Whether it changes more than what interventions do, and so shares no pass with the
        unsteered model."""
        return bool(self.prefix)

    def on(self, model: Any, tokenizer: Any) -> AbstractContextManager[Any]:
        """What is to be read in the model's place while the block runs, but for the prefix.

        Args:
            model: the unsteered model; it is as it was afterwards.
            tokenizer: of the model.
        """
        return steered(model, self.interventions)


class DosedCondition(Condition):
    """One that can be selected: its strength is a multiplier."""

    @property
    @abstractmethod
    def effect(self) -> float | None:
        """Its multiplier in units in which 0 does nothing; None where there are no such units."""

    @abstractmethod
    def at(self, dose: float) -> Self:
        """The condition at another multiplier, in units of its own effect."""
