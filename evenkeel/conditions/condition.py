"""What can be compared: a model under interventions, behind a prefix, or both."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from evenkeel.params import Action, GateKind
from evenkeel.steering.intervention import Intervention


class Recipe(BaseModel):
    """How a condition is made, as tables and files say it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    """Of the vectors (caa, group, term, ..., random), or prompt."""
    site: str | None = None
    layer: int | Literal["all"] | None = None
    """The layer's index, or "all" of those that have a vector."""
    action: Action | None = None
    multiplier: float | None = None
    """add: in units of the mean norm of the residual stream at the vector's hook point; ablate:
    share taken out; mean_ablate: share of the way to the midpoint; clamp: the latents' value;
    scale: their factor."""
    gate: GateKind = "none"
    features: tuple[int, ...] = ()
    """Latents that are edited."""
    prefix: str = ""
    """What stands before every prompt, its last space included."""

    @property
    def name(self) -> str:
        """What is compared on the test split: method, action and gate."""
        gate = None if self.gate == "none" else self.gate
        return "_".join(part for part in (self.method, self.action, gate) if part)


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
