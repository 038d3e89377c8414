"""The features that listed prompts have in common, token by token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from evenkeel.models.loading import LoadedModel
from evenkeel.params import ComparedPromptsParams, FeatureRecipeParams, RecipeParams
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.prompted import ReadPrompt, common_features, read_prompts

Tokens = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Features common to the positive prompts, those that recipes name, and where they fire."""

    common: tuple[int, ...]
    """The strongest first."""
    features: tuple[int, ...]
    """The common ones, and then those that recipes name besides."""
    prompts: tuple[tuple[str, ReadPrompt], ...]
    """positive or negative, and the prompt."""

    @property
    def drawn(self) -> tuple[tuple[int, ...], list[tuple[Tokens, Float[np.ndarray, "t f"]]]] | None:
        """What a picture shows; None where there is nothing to show."""
        if not (self.features and self.prompts):
            return None
        # The named ones first: they are what the prompts are steered by.
        named = [feature for feature in self.features if feature not in self.common]
        order = (*named, *self.common)
        return order, [(read.tokens, read.latents[:, list(order)]) for _, read in self.prompts]

    def record(self) -> dict[str, Any]:
        """As JSON values: activations to five digits, by prompt and feature."""
        return {
            "common": list(self.common),
            "prompts": [
                {
                    "side": side,
                    "text": read.text,
                    "tokens": list(read.tokens),
                    "activations": {
                        str(feature): [float(f"{a:.5g}") for a in read.latents[:, feature]]
                        for feature in self.features
                    },
                }
                for side, read in self.prompts
            ],
        }


def compare_prompts(
    loaded: LoadedModel,
    sae: LoadedSae,
    params: ComparedPromptsParams,
    recipes: Sequence[RecipeParams],
) -> Comparison:
    """Read both sides' prompts and find what the positive ones share.

    Raises:
        BadInputError: a prompt is too long, or the SAE does not fit the model.
    """
    positive = read_prompts(loaded, sae, params.positive)
    negative = read_prompts(loaded, sae, params.negative)
    common = tuple(map(int, common_features(positive, negative, params.top)))
    named = [recipe.feature for recipe in recipes if isinstance(recipe, FeatureRecipeParams)]
    numbers = [feature for feature in named if feature != "common" and feature < sae.d_sae]
    features = tuple(dict.fromkeys([*common, *numbers]))
    sides = [("positive", read) for read in positive] + [("negative", read) for read in negative]
    return Comparison(common, features, tuple(sides))
