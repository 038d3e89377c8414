"""Conditions on disk, to be measured again on something else."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evenkeel.conditions.adapter import AdapterCondition
from evenkeel.conditions.condition import Condition
from evenkeel.conditions.recipe import Recipe
from evenkeel.errors import BadInputError
from evenkeel.files import require_folder
from evenkeel.learning.adapters import Adapter, adapted
from evenkeel.models.loading import LoadedModel
from evenkeel.steering.intervention import Intervention
from evenkeel.steering.self_debias import SelfDebiased
from evenkeel.steering.spec import InterventionSpec

_INTERVENTION, _ADAPTER = "intervention", "adapter"


@dataclass(frozen=True, eq=False)
class KeptCondition(Condition):
    """A condition as its folder says it; it does what the one did that was kept."""

    kept_recipe: Recipe
    kept_interventions: tuple[Intervention, ...] = ()
    adapter: Adapter | None = None
    diagnosis: str | None = None
    """Of Self-Debias."""

    @property
    def recipe(self) -> Recipe:
        return self.kept_recipe

    @property
    def interventions(self) -> tuple[Intervention, ...]:
        return self.kept_interventions

    @property
    def train_tokens(self) -> None:
        """Not kept."""

    @property
    def second_reading(self) -> str | None:
        return self.diagnosis

    @property
    def apart(self) -> bool:
        return bool(self.prefix or self.adapter or self.diagnosis)

    def on(self, model: Any, tokenizer: Any) -> AbstractContextManager[Any]:
        strength = self.recipe.multiplier
        if self.adapter is not None:
            return adapted(model, self.adapter, 1.0 if strength is None else strength)
        if self.diagnosis is not None:
            decay = 0.0 if strength is None else strength
            return nullcontext(SelfDebiased(model, tokenizer, self.diagnosis, decay))
        return super().on(model, tokenizer)


def keep_conditions(folder: Path, loaded: LoadedModel, conditions: Iterable[Condition]) -> None:
    """Write each condition into a folder of its name: an intervention spec, and what it needs more.

    Args:
        folder: that holds them.
        loaded: the model that they are of.
        conditions: of distinct names.
    """
    model = {"name": loaded.name, "fingerprint": loaded.fingerprint}
    for condition in conditions:
        metadata = {
            "model": model,
            "recipe": condition.recipe.model_dump(mode="json"),
            "diagnosis": condition.second_reading,
        }
        own = folder / condition.name
        InterventionSpec(tuple(condition.interventions), metadata).save(own / _INTERVENTION)
        if isinstance(condition, AdapterCondition):
            condition.adapter.save(own / _ADAPTER)


def read_conditions(folder: Path, loaded: LoadedModel) -> list[KeptCondition]:
    """Read what `keep_conditions` wrote, in the order of names.

    Raises:
        BadInputError: there are none, one cannot be read, or they are of another model.
    """
    require_folder(folder)
    found = []
    for own in sorted(path for path in folder.iterdir() if path.is_dir()):
        spec = InterventionSpec.load(own / _INTERVENTION)
        loaded.require_own(own, [spec.metadata])
        try:
            recipe = Recipe.model_validate(spec.metadata.get("recipe"))
        except ValidationError as error:
            raise BadInputError(
                f"{own}: its record says no recipe, so it is no condition that evaluate kept; "
                "run evaluate again"
            ) from error
        adapter = Adapter.load(own / _ADAPTER) if (own / _ADAPTER).is_dir() else None
        diagnosis = spec.metadata.get("diagnosis")
        found.append(KeptCondition(recipe, spec.interventions, adapter, diagnosis))
    if not found:
        raise BadInputError(f"{folder}: no conditions in it; run evaluate again")
    return found
