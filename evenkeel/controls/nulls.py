"""What directions that mean nothing do in the place of a chosen one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy import ndarray

from evenkeel.activations.store import ActivationStore
from evenkeel.conditions.candidates import Candidate
from evenkeel.conditions.feature_candidates import random_feature_candidates
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.probes.statements import statements_of, text_activations
from evenkeel.statistics.bootstrap import rounded
from evenkeel.vectors.contrasts import Contrast
from evenkeel.vectors.directions import mean_difference
from evenkeel.vectors.group_term import group_term_streams
from evenkeel.vectors.vector import SteeringVector

Vectors = tuple[SteeringVector, ...]
Streams = Mapping[HookPoint, Float[ndarray, "statements width"]]
RANDOM = "random"
"""Name of a random direction's method."""


def random_vectors(vectors: Sequence[SteeringVector], generator: np.random.Generator) -> Vectors:
    """For each vector one of the same norm at the same place, uniform over all directions."""
    return tuple(
        _instead(vector, generator.normal(size=len(vector.direction)), RANDOM) for vector in vectors
    )


def orthogonal_vectors(
    vectors: Sequence[SteeringVector], generator: np.random.Generator
) -> Vectors:
    """As `random_vectors`, at right angles to the vector that each stands in for."""
    found = []
    for vector in vectors:
        own = vector.direction.double().numpy()
        drawn = generator.normal(size=len(own))
        found.append(_instead(vector, drawn - (drawn @ own) / (own @ own) * own, "orthogonal"))
    return tuple(found)


def streams_behind(
    vectors: Sequence[SteeringVector], store: ActivationStore, loaded: LoadedModel
) -> Streams:
    """The activations that vectors of one method are made from, by site and layer.

    Args:
        vectors: of one method.
        store: activations of the statements, as kept.
        loaded: the model, asked where the method reads another token than is kept.

    Raises:
        BadInputError: the store holds not the vectors' places.
    """
    points = [vector.point for vector in vectors]
    if vectors[0].method == "term":
        return group_term_streams(loaded, statements_of(store), points)
    return {point: text_activations(store, point.site, point.layer) for point in points}


def shuffled_vectors(
    vectors: Sequence[SteeringVector],
    statements: pd.DataFrame,
    streams: Streams,
    draws: int,
    seed: int,
) -> list[Vectors]:
    """Mean differences of the very statements that the vectors are made from, labels shuffled.

    They lie where the model's activations vary, which a random direction does not, and know nothing
    of the axis. What is shuffled are the labels biased and neutral, or the groups: that which the
    vectors' method tells apart. All layers share one shuffle.

    Args:
        vectors: of one axis and method.
        statements: that they are made from, and those of other axes.
        streams: of `streams_behind`, one row a statement.
        draws: shuffles.
        seed: of the shuffles.

    Raises:
        BadInputError: there are no statements of the axis.
    """
    generator = np.random.default_rng([seed, 3])
    by_label = vectors[0].method in ("caa", "probe")
    contrast = (Contrast.of_labels if by_label else Contrast.of_groups)(
        statements, vectors[0].axis, resamples=1, seed=seed
    )
    shuffles = [contrast.shuffled(generator) for _ in range(draws)]
    found: list[list[SteeringVector]] = [[] for _ in shuffles]
    for vector in vectors:
        x = streams[vector.point]
        for own, shuffled in zip(found, shuffles, strict=True):
            own.append(_instead(vector, mean_difference(shuffled.differences(x)), "shuffled"))
    return [tuple(own) for own in found]


def null_candidates(
    candidate: Candidate, statements: pd.DataFrame, streams: Streams, draws: int, seed: int
) -> dict[str, list[Candidate]]:
    """The candidate with other directions in the place of its own, by kind.

    Place, action, force and norm are the candidate's. Of latents: other latents that fire as often.

    Args:
        candidate: what was chosen.
        statements: that its vectors are made from.
        streams: of `streams_behind`.
        draws: of each kind.
        seed: of all of them.

    Raises:
        BadInputError: as of `shuffled_vectors`.
    """

    def candidates(kind: Iterator[Vectors] | list[Vectors]) -> list[Candidate]:
        return [replace(candidate, vectors=vectors) for vectors in kind]

    if candidate.dictionary is not None:
        return {"random_features": random_feature_candidates(candidate, draws, seed)}
    own = candidate.vectors
    generators = [np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])]
    return {
        RANDOM: candidates(random_vectors(own, generators[0]) for _ in range(draws)),
        "orthogonal": candidates(orthogonal_vectors(own, generators[1]) for _ in range(draws)),
        "shuffled": candidates(shuffled_vectors(own, statements, streams, draws, seed)),
    }


def rank_p(value: float | None, draws: Float[ndarray, " draws"]) -> float | None:
    """Chance, were the value one more draw, of one at least as large: (1 + larger) / (1 + draws).

    A draw that is unknown (NaN) counts as larger: it must not make the value look better.
    """
    if value is None or not len(draws):
        return None
    return float((1 + np.sum(~(draws < value))) / (1 + len(draws)))


def distribution(draws: Float[ndarray, " draws"]) -> dict[str, float | None]:
    """Median, 5 % and 95 % quantile of what is known, and the extremes."""
    known = draws[np.isfinite(draws)]
    if not known.size:
        return dict.fromkeys(("min", "q05", "median", "q95", "max"))
    values = np.quantile(known, [0, 0.05, 0.5, 0.95, 1])
    return {
        name: rounded(float(value))
        for name, value in zip(("min", "q05", "median", "q95", "max"), values, strict=True)
    }


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
    )
