"""The preference vectors of every axis, method and hook point of an activation store."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.activations.store import ActivationStore
from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.learning.preference import Direction, PreferenceTrainer
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.models.token_count import with_tokens
from evenkeel.params import PreferenceMethod, VectorsParams
from evenkeel.probes.statements import stream_rows
from evenkeel.vectors.shuffled import ShuffledVectors, shuffle_key
from evenkeel.vectors.vector import stream_norm


class Trained(NamedTuple):
    """The vectors of one axis, of any norm."""

    directions: Mapping[tuple[str, HookPoint], Direction]
    """By method and hook point."""
    tokens_read: Mapping[tuple[str, HookPoint], int]
    """For each, as `models.token_count` counts them; what the methods share at a hook point, for
    the first of them."""
    shuffled: Mapping[str, Float[Tensor, "draws d_model"]]
    """The same training on shuffled items, as `ShuffledVectors` names them; none for no draws."""

    def beside(self, others: ShuffledVectors) -> ShuffledVectors:
        return ShuffledVectors({**others.directions, **self.shuffled})


def train_vectors(
    loaded: LoadedModel,
    store: ActivationStore,
    prompts: Mapping[str, Sequence[Prompt]],
    params: VectorsParams,
    seed: int,
) -> dict[str, Trained]:
    """Train what `params.methods` names of bipo and reps, by axis.

    Args:
        loaded: the model whose activations are stored.
        store: says at which hook points, and how long the residual stream is there.
        prompts: of each axis and all splits.
        params: methods, and how they are trained.
        seed: of all of it.

    Raises:
        BadInputError: a layer is not stored, or an axis has no preferences.
    """
    known: tuple[PreferenceMethod, ...] = get_args(PreferenceMethod)
    methods = [method for method in known if method in params.methods]
    how = params.preference
    points = [
        HookPoint.of(site, layer)
        for site in store.sites
        for layer in (store.layers(site) if how.layers == "all" else how.layers)
    ]
    for point in points:
        if point.layer not in store.layers(point.site):
            raise BadInputError(
                f"vectors.preference.layers names layer {point.layer}, but {store.path} keeps "
                f"{point.site} of layers {list(store.layers(point.site))} only; add it to "
                "activations.statements.layers or drop it here"
            )
    units = {
        point: stream_norm(stream_rows(store, point.site, point.layer), point) for point in points
    }
    trained = {}
    for axis, of_axis in prompts.items():
        trainer = PreferenceTrainer(loaded, of_axis, how, seed)
        directions: dict[tuple[str, HookPoint], Direction] = {}
        tokens: dict[tuple[str, HookPoint], int] = {}
        shuffled: dict[str, Float[Tensor, "draws d_model"]] = {}
        for point, unit in units.items():
            width = store.d_model(point.site)
            for method in methods:
                train = partial(trainer.train, method, point, unit=unit, width=width)
                directions[method, point], tokens[method, point] = with_tokens(
                    loaded.model, train
                )()
                draws = [train(shuffle=draw) for draw in range(how.shuffles)]
                if draws:
                    key = shuffle_key(method, point.site, point.layer, None)
                    shuffled[key] = torch.from_numpy(np.stack(draws)).float()
        trained[axis] = Trained(directions, tokens, shuffled)
    return trained
