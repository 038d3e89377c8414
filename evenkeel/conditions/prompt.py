"""Prompting, as one more method: a text that asks for fairness stands before every prompt."""

from dataclasses import dataclass

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.recipe import Recipe


@dataclass(frozen=True)
class PromptCondition(Condition):
    """A prefix."""

    text: str
    """Its last space included."""

    @property
    def recipe(self) -> Recipe:
        return Recipe(method="prompt", prefix=self.text)
