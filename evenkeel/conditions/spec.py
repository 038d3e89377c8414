"""An intervention spec as a condition: one that was selected before, or several together."""

from collections.abc import Sequence
from dataclasses import dataclass

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.recipe import Recipe
from evenkeel.steering.intervention import Intervention


@dataclass(frozen=True, eq=False)
class SpecCondition(Condition):
    """Interventions under a label."""

    label: str
    items: tuple[Intervention, ...]

    @property
    def recipe(self) -> Recipe:
        return Recipe(method=self.label)

    @property
    def interventions(self) -> Sequence[Intervention]:
        return self.items
