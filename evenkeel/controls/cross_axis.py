"""Does a vector of another kind of bias do the same? Then it is not this bias that was found."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.conditions.vector import spanning
from evenkeel.steering.erasure import MeanAblate
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.rotation import Rotate
from evenkeel.vectors.vector import SteeringVector


def in_place_of(
    interventions: Iterable[Intervention], vectors: Sequence[SteeringVector]
) -> list[Intervention] | None:
    """Interventions with the vectors of another axis in the place of their own.

    Hook points, gates, midpoints and multipliers stay.

    Args:
        interventions: that were selected for an axis.
        vectors: of the other axis and the same method.

    Returns:
        None where the other axis lacks a vector at one of the hook points, where several would have
        to be added at once, and where the interventions are not made of directions.
    """
    replaced: list[Intervention] = []
    for intervention in interventions:
        at_point = tuple(vector for vector in vectors if vector.point == intervention.point)
        if not at_point:
            return None
        directions = torch.stack([vector.direction for vector in spanning(at_point)])
        match intervention:
            case Ablate() | MeanAblate() | Rotate():
                replaced.append(replace(intervention, directions=directions))
            case Add() if len(directions) == 1:
                replaced.append(replace(intervention, direction=directions[0]))
            case _:
                return None
    return replaced or None


def alignment(left: Sequence[Intervention], right: Sequence[Intervention]) -> float | None:
    """How far the directions of two interventions lie along each other, the mean over hook points.

    Of two single vectors their cosine; of subspaces the cosine of the smallest angle between them.
    """
    cosines = []
    for one, other in zip(left, right, strict=True):
        first, second = directions_of(one), directions_of(other)
        if first is None or second is None:
            return None
        if len(first) == len(second) == 1:
            cosines.append(float(torch.cosine_similarity(first[0], second[0], dim=0)))
        else:
            bases = [torch.linalg.qr(side.mT).Q for side in (first, second)]
            cosines.append(float(torch.linalg.matrix_norm(bases[0].mT @ bases[1], 2)))
    return sum(cosines) / len(cosines) if cosines else None


def directions_of(intervention: Intervention) -> Float[Tensor, "count width"] | None:
    """Directions that an intervention adds or takes out, in float64; None if it has none."""
    match intervention:
        case Ablate() | MeanAblate() | Rotate():
            return torch.atleast_2d(intervention.directions).double()
        case Add():
            return intervention.direction.double()[None]
    return None
