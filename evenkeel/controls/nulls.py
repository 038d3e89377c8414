"""Null-direction baselines: what directions that mean nothing do in the place of a chosen one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from evenkeel.conditions.adapter import AdapterCondition
from evenkeel.conditions.condition import Condition, DosedCondition
from evenkeel.conditions.eraser import EraserCondition
from evenkeel.conditions.latents import LatentsCondition, random_latents
from evenkeel.conditions.learned import LearnedCondition
from evenkeel.conditions.vector import VectorCondition, Vectors
from evenkeel.statistics.estimate import rounded
from evenkeel.vectors.shuffled import ShuffledVectors
from evenkeel.vectors.vector import SteeringVector, replaced

RANDOM = "random"
"""Name of a random direction's method."""


def random_vector(vector: SteeringVector, generator: np.random.Generator) -> SteeringVector:
    """One of the same norm at the same hook point, uniform over all directions."""
    return replaced(vector, torch.from_numpy(generator.normal(size=len(vector.direction))), RANDOM)


def orthogonal_vector(vector: SteeringVector, generator: np.random.Generator) -> SteeringVector:
    """As `random_vector`, at right angles to the vector that it stands in for."""
    direction = vector.direction.double().numpy()
    drawn = generator.normal(size=len(direction))
    along = (drawn @ direction) / (direction @ direction) * direction
    return replaced(vector, torch.from_numpy(drawn - along), "orthogonal")


def null_conditions(
    condition: DosedCondition,
    shuffled: ShuffledVectors,
    draws: int,
    seed: int,
) -> dict[str, Sequence[Condition]]:
    """The condition with other directions in the place of its own, by kind.

    Hook points, action, multiplier and norm are the condition's. Of latents: others that fire as
    often. Of erasers: the projection turned to random directions, and along shuffled ones. Of a
    learned edit: the same training on shuffled items, and the edit in random subspaces.

    Args:
        condition: what was chosen.
        shuffled: vectors of shuffled labels, which lie where the model's activations vary.
        draws: of each kind; of what takes a training, as many as were trained.
        seed: of all of them.

    Raises:
        BadInputError: there are fewer shuffles than draws.
    """
    if isinstance(condition, LatentsCondition):
        return {"random_latents": random_latents(condition, draws, seed)}
    if isinstance(condition, EraserCondition):
        return {
            RANDOM: condition.rotated(draws, seed),
            "shuffled": _shuffled(condition, shuffled, draws),
        }
    if isinstance(condition, LearnedCondition):
        trained = condition.of_shuffled_items(draws)
        return {
            **({"shuffled_items": trained} if trained else {}),
            "random_subspace": condition.in_random_subspaces(draws, seed),
        }
    assert isinstance(condition, VectorCondition)
    dealt = _shuffled(condition, shuffled, draws)
    return {
        **random_and_orthogonal(condition, draws, seed),
        **({"shuffled": dealt} if dealt else {}),  # none of what took a training and had none
    }


def hardest_nulls(
    condition: Condition, shuffled: ShuffledVectors, draws: int, seed: int
) -> tuple[str, Sequence[Condition]] | None:
    """The kind of `null_conditions` that is hardest to beat and takes no training, and its draws.

    Of adapters the same training of what knows nothing of the items, since there is no other. None
    of conditions that have neither, and of random ones, which are nulls themselves.
    """
    match condition:
        case LatentsCondition():
            return "random_latents", random_latents(condition, draws, seed)
        case AdapterCondition():
            return "shuffled_items", condition.of_shuffled_items(draws)
        case LearnedCondition():
            return "random_subspace", condition.in_random_subspaces(draws, seed)
        case EraserCondition() | VectorCondition() if condition.recipe.method != RANDOM:
            return "shuffled", _shuffled(condition, shuffled, draws)
    return None


def _shuffled(
    condition: EraserCondition | VectorCondition, shuffled: ShuffledVectors, draws: int
) -> list[Condition]:
    if isinstance(condition, EraserCondition):
        return [
            condition.along(
                shuffled.span(eraser.point, len(eraser.proj_right), draw)
                for eraser in condition.erasers
            )
            for draw in range(draws)
        ]
    most = min(shuffled.most(vector, draws) for vector in condition.all_vectors)
    return [
        replace(
            condition, vectors=_each(condition.vectors, partial(shuffled.in_place_of, draw=draw))
        )
        for draw in range(most)
    ]


def random_conditions(
    condition: VectorCondition, draws: int, seed: Sequence[int]
) -> list[VectorCondition]:
    """The condition with random directions in the place of its own."""
    return _drawn(condition, random_vector, draws, seed)


def random_and_orthogonal(
    condition: VectorCondition, draws: int, seed: int
) -> dict[str, Sequence[VectorCondition]]:
    """The kinds of `null_conditions` that need nothing but the condition."""
    return {
        RANDOM: random_conditions(condition, draws, [seed, 1]),
        "orthogonal": _drawn(condition, orthogonal_vector, draws, [seed, 2]),
    }


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
