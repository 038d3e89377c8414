"""The interventions that a person asked to see: each recipe, at each layer, with each force."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from evenkeel.activations.capture import capture_texts
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import FeatureRecipeParams, RecipeParams, TextsRecipeParams, VectorRecipeParams
from evenkeel.sae.loading import LoadedSae
from evenkeel.steering.from_vector import interventions_of
from evenkeel.steering.intervention import Intervention
from evenkeel.steering.latents import Scale
from evenkeel.vectors.actadd import text_differences
from evenkeel.vectors.vector import SteeringVector, stream_norm
from evenkeel.vectors.vector_set import VectorSet

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Case:
    """One intervention, and what it is called."""

    recipe: RecipeParams
    layer: int
    multiplier: float
    intervention: Intervention


def make_cases(
    loaded: LoadedModel,
    recipes: Sequence[RecipeParams],
    prompts: Sequence[str],
    vectors: VectorSet,
    sae: LoadedSae,
    common: Sequence[int],
) -> list[Case]:
    """Every case, recipe by recipe, layer by layer.

    Args:
        loaded: the model.
        recipes: what is asked for.
        prompts: where the stream's mean norm, the unit of a relative multiplier, is measured for
            recipes of texts: at their last tokens.
        vectors: of the model.
        sae: of the model.
        common: latents that a recipe of common features scales; with none it has no case.

    Raises:
        BadInputError: the model, the vectors or the SAE have not what a recipe names.
    """
    cases = []
    for recipe in recipes:
        if isinstance(recipe, FeatureRecipeParams):
            cases += list(_of_feature(recipe, sae, common))
            continue
        if isinstance(recipe, TextsRecipeParams):
            found = _of_texts(loaded, recipe, prompts)
        else:
            assert isinstance(recipe, VectorRecipeParams)
            found = [
                vectors.get(recipe.axis, recipe.method, recipe.site, layer)
                for layer in recipe.layers
            ]
        cases += [
            Case(recipe, vector.layer, multiplier, intervention)
            for vector in found
            for multiplier in recipe.multipliers
            for intervention in interventions_of(
                vector,
                recipe.action,
                multiplier,
                relative=recipe.relative,
                positions=recipe.positions,
                sinks=recipe.sinks,
            )
        ]
    return cases


def _of_texts(
    loaded: LoadedModel, recipe: TextsRecipeParams, prompts: Sequence[str]
) -> list[SteeringVector]:
    points = [HookPoint(recipe.site, layer) for layer in recipe.layers]
    differences = text_differences(loaded, points, recipe.positive, recipe.negative)
    streams = capture_texts(loaded, prompts, [recipe.site], recipe.layers, "last")
    return [
        SteeringVector.of(
            torch.from_numpy(differences[point]),
            axis=recipe.name,
            method="actadd",
            site=recipe.site,
            layer=point.layer,
            stream_norm=stream_norm(streams[point], point),
        )
        for point in points
    ]


def _of_feature(
    recipe: FeatureRecipeParams, sae: LoadedSae, common: Sequence[int]
) -> Iterator[Case]:
    place, positions = sae.place, recipe.positions
    features = common if recipe.feature == "common" else [recipe.feature]
    if not features:
        log.warning("recipe %r: the prompts have no features in common", recipe.name)
        return
    for feature in features:
        if feature >= sae.d_sae:
            raise BadInputError(
                f"demonstration.recipes, {recipe.name!r}: feature {feature} does not exist; "
                f"this SAE has features 0 to {sae.d_sae - 1}"
            )
    vector = SteeringVector.of(
        sae.decoder[features[0]].float().cpu(),
        axis=recipe.name,
        method="sae",
        site=place.site,
        layer=place.layer,
        stream_norm=1.0,
        feature=features[0],
    )
    for multiplier in recipe.multipliers:
        intervention: Intervention
        if recipe.action == "scale":
            intervention = Scale.of(
                sae, features, factor=multiplier, positions=positions, sinks=recipe.sinks
            )
        else:
            (intervention,) = interventions_of(
                vector,
                "add",
                multiplier,
                relative=False,
                positions=positions,
                sinks=recipe.sinks,
            )
        yield Case(recipe, place.layer, multiplier, intervention)
