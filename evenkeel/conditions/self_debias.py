"""Self-Debias as a condition: a way of decoding, at one decay."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.recipe import Recipe
from evenkeel.steering.self_debias import SelfDebiased


@dataclass(frozen=True)
class SelfDebiasCondition(Condition):
    """A model that discounts what it says more readily behind a diagnosis."""

    diagnosis: str
    decay: float

    @property
    def recipe(self) -> Recipe:
        return Recipe(method="self_debias", multiplier=self.decay)

    @property
    def second_reading(self) -> str:
        return self.diagnosis

    @property
    def apart(self) -> bool:
        return True

    def on(self, model: Any, tokenizer: Any) -> AbstractContextManager[Any]:
        return nullcontext(SelfDebiased(model, tokenizer, self.diagnosis, self.decay))
