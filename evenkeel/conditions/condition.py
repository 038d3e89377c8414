"""What can be compared: a model under interventions, behind a prefix, or both."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

from evenkeel.conditions.recipe import Recipe
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


class DosedCondition(Condition):
    """One that can be selected: its strength is a multiplier."""

    @property
    @abstractmethod
    def effect(self) -> float | None:
        """Its multiplier in units in which 0 does nothing; None where there are no such units."""

    @abstractmethod
    def at(self, dose: float) -> Self:
        """The condition at another multiplier, in units of its own effect."""
