"""Fine-tuned models as conditions: a trained adapter at a multiple of what was trained."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.recipe import Recipe
from evenkeel.learning.adapters import Adapter, adapted

TrainAdapter = Callable[[int | None], tuple[Adapter, int]]
"""Number of a shuffle of the items, or None -> an adapter, and how many tokens were read for it."""


@dataclass(frozen=True, eq=False)
class AdapterCondition(Condition):
    """A model with a LoRA adapter in it."""

    adapter: Adapter
    method: str
    train: TrainAdapter
    """Makes it, and the same of shuffled items."""
    shuffles: int
    """How many null adapters are trained at most."""
    multiplier: float = 1.0
    train_tokens: int | None = None

    @property
    def recipe(self) -> Recipe:
        return Recipe(method=self.method, multiplier=self.multiplier, rank=self.adapter.rank)

    @property
    def apart(self) -> bool:
        return True

    def on(self, model: Any, tokenizer: Any) -> AbstractContextManager[Any]:
        return adapted(model, self.adapter, self.multiplier)

    def of_shuffled_items(self, draws: int) -> list["AdapterCondition"]:
        """The same training of what knows nothing of the items."""
        return [
            replace(self, adapter=adapter, method="shuffled_items", train_tokens=tokens)
            for draw in range(min(draws, self.shuffles))
            for adapter, tokens in [self.train(draw)]
        ]


def make_adapter_conditions(
    train: TrainAdapter, method: str, multipliers: Sequence[float], shuffles: int
) -> Iterator[AdapterCondition]:
    """Train one adapter, and give it at every multiple; arguments as of `AdapterCondition`."""
    adapter, tokens = train(None)
    for multiplier in multipliers:
        yield AdapterCondition(
            adapter, method, train, shuffles, float(multiplier), train_tokens=tokens
        )
