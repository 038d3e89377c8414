"""Null-direction baselines: what directions that mean nothing do in the place of a chosen one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy import ndarray

from evenkeel.activations.store import ActivationStore
from evenkeel.conditions.condition import Condition
from evenkeel.conditions.latents import LatentsCondition, random_latents
from evenkeel.conditions.vector import VectorCondition, Vectors
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.probes.statements import statements_of, text_activations
from evenkeel.statistics.estimate import rounded
from evenkeel.vectors.contrasts import Contrast
from evenkeel.vectors.directions import mean_difference
from evenkeel.vectors.group_term import group_term_streams
from evenkeel.vectors.vector import SteeringVector

Streams = Mapping[HookPoint, Float[ndarray, "statements width"]]
RANDOM = "random"
"""Name of a random direction's method."""


def random_vector(vector: SteeringVector, generator: np.random.Generator) -> SteeringVector:
    """One of the same norm at the same hook point, uniform over all directions."""
    return _instead(vector, generator.normal(size=len(vector.direction)), RANDOM)


def orthogonal_vector(vector: SteeringVector, generator: np.random.Generator) -> SteeringVector:
    """As `random_vector`, at right angles to the vector that it stands in for."""
    direction = vector.direction.double().numpy()
    drawn = generator.normal(size=len(direction))
    along = (drawn @ direction) / (direction @ direction) * direction
    return _instead(vector, drawn - along, "orthogonal")


def source_streams(
    vectors: Sequence[SteeringVector], store: ActivationStore, loaded: LoadedModel
) -> Streams:
    """The activations that vectors of one method are made from, by hook point.

    Args:
        vectors: of one method.
        store: activations of the statements, as kept.
        loaded: the model, read where the method takes another token than is kept.

    Raises:
        BadInputError: the store lacks a hook point.
    """
    points = list(dict.fromkeys(vector.point for vector in vectors))
    if vectors[0].method == "term":
        return group_term_streams(loaded, statements_of(store), points)
    return {point: text_activations(store, point.site, point.layer) for point in points}


def shuffled_vectors(
    condition: VectorCondition,
    statements: pd.DataFrame,
    streams: Streams,
    draws: int,
    seed: int,
) -> list[tuple[Vectors, ...]]:
    """Mean differences of the very statements that the vectors are made from, labels shuffled.

    They lie where the model's activations vary, which a random direction does not, and know nothing
    of the axis. What is shuffled are the labels biased and neutral, or the groups: that which the
    vectors' method tells apart. All layers share one shuffle.

    Args:
        condition: whose vectors are replaced.
        statements: that they are made from, and those of other axes.
        streams: of `source_streams`, one row a statement.
        draws: shuffles.
        seed: of the shuffles.

    Raises:
        BadInputError: there are no statements of the axis.
    """
    generator = np.random.default_rng([seed, 3])
    axis = condition.first.axis
    if condition.first.method in ("caa", "probe"):
        contrasts = (Contrast.of_labels(statements, axis, resamples=1, seed=seed),)
    else:
        contrasts = Contrast.of_groups(statements, axis, resamples=1, seed=seed)
    sets = []
    for _ in range(draws):
        shuffled = {contrast.group: contrast.shuffled(generator) for contrast in contrasts}

        def in_place_of(
            vector: SteeringVector, by_group: Mapping[str | None, Contrast] = shuffled
        ) -> SteeringVector:
            contrast = by_group.get(vector.group) or next(iter(by_group.values()))
            direction = mean_difference(contrast.differences(streams[vector.point]))
            return _instead(vector, direction, "shuffled")

        sets.append(_each(condition.vectors, in_place_of))
    return sets


def null_conditions(
    condition: VectorCondition | LatentsCondition,
    statements: pd.DataFrame,
    streams: Streams,
    draws: int,
    seed: int,
) -> dict[str, Sequence[Condition]]:
    """The condition with other directions in the place of its own, by kind.

    Hook points, action, multiplier and norm are the condition's. Of latents: others that fire as
    often.

    Args:
        condition: what was chosen.
        statements: that its vectors are made from.
        streams: of `source_streams`.
        draws: of each kind.
        seed: of all of them.

    Raises:
        BadInputError: as of `shuffled_vectors`.
    """
    if isinstance(condition, LatentsCondition):
        return {"random_latents": random_latents(condition, draws, seed)}
    shuffled = shuffled_vectors(condition, statements, streams, draws, seed)
    return {
        RANDOM: random_conditions(condition, draws, [seed, 1]),
        "orthogonal": _drawn(condition, orthogonal_vector, draws, [seed, 2]),
        "shuffled": [replace(condition, vectors=vectors) for vectors in shuffled],
    }


def random_conditions(
    condition: VectorCondition, draws: int, seed: Sequence[int]
) -> list[VectorCondition]:
    """The condition with random directions in the place of its own."""
    return _drawn(condition, random_vector, draws, seed)


def rank_p(value: float | None, draws: Float[ndarray, " draws"]) -> float | None:
    """Chance, were the value one more draw, of one at least as large: (1 + larger) / (1 + draws).

    A draw that is unknown (NaN) counts as larger: it must not make the value look better.
    """
    if value is None or not len(draws):
        return None
    return float((1 + np.sum(~(draws < value))) / (1 + len(draws)))


def quantiles(draws: Float[ndarray, " draws"]) -> dict[str, float | None]:
    """Median, 5 % and 95 % quantile of what is known, and the extremes."""
    known = draws[np.isfinite(draws)]
    if not known.size:
        return dict.fromkeys(("min", "q05", "median", "q95", "max"))
    values = np.quantile(known, [0, 0.05, 0.5, 0.95, 1])
    return {
        name: rounded(float(value))
        for name, value in zip(("min", "q05", "median", "q95", "max"), values, strict=True)
    }


def _drawn(
    condition: VectorCondition,
    draw: Callable[[SteeringVector, np.random.Generator], SteeringVector],
    draws: int,
    seed: Sequence[int],
) -> list[VectorCondition]:
    generator = np.random.default_rng(seed)
    return [
        replace(condition, vectors=_each(condition.vectors, lambda v: draw(v, generator)))
        for _ in range(draws)
    ]


def _each(
    vectors: tuple[Vectors, ...], replacement: Callable[[SteeringVector], SteeringVector]
) -> tuple[Vectors, ...]:
    return tuple(tuple(map(replacement, at_point)) for at_point in vectors)


def _instead(
    vector: SteeringVector, direction: Float[ndarray, " d_model"], method: str
) -> SteeringVector:
    return SteeringVector.of(
        torch.from_numpy(direction),
        axis=vector.axis,
        method=method,
        site=vector.site,
        layer=vector.layer,
        stream_norm=vector.stream_norm,
        group=vector.group,
    )
