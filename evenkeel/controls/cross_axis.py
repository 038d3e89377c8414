"""Does a vector of another kind of bias do the same? Then it is not this bias that was found."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from evenkeel.conditions.vector import VectorCondition, Vectors, spanning
from evenkeel.vectors.vector import SteeringVector


def other_axes(
    condition: VectorCondition, vectors: Sequence[SteeringVector]
) -> dict[str, VectorCondition]:
    """The condition with the vectors of each other axis in the place of its own, by axis.

    Method, hook points, action and multiplier are the condition's. An axis that lacks a vector at
    one of its hook points is left out, and so is one of more groups where vectors are added.

    Args:
        condition: what was chosen.
        vectors: all there are.
    """
    conditions = {}
    method = condition.first.method
    for axis in sorted({vector.axis for vector in vectors} - {condition.first.axis}):
        of_axis = [v for v in vectors if (v.axis, v.method) == (axis, method)]
        replaced = [
            tuple(vector for vector in of_axis if vector.point == at_point[0].point)
            for at_point in condition.vectors
        ]
        if not all(replaced):
            continue
        spans = tuple(map(spanning, replaced))
        if condition.action == "add" and any(len(span) > 1 for span in spans):
            continue
        conditions[axis] = replace(condition, vectors=spans)
    return conditions


def alignments(
    condition: VectorCondition, others: Mapping[str, VectorCondition]
) -> dict[str, float]:
    """How far each other condition's vectors lie along the condition's, the mean over hook points.

    Of two single vectors their cosine; of subspaces the cosine of the smallest angle between them.
    """
    return {
        name: sum(
            _alignment(left, right)
            for left, right in zip(condition.vectors, other.vectors, strict=True)
        )
        / len(condition.vectors)
        for name, other in others.items()
    }


def _alignment(left: Vectors, right: Vectors) -> float:
    first, second = (torch.stack([v.direction.double() for v in side]) for side in (left, right))
    if len(left) == len(right) == 1:
        return float(first[0] @ second[0])
    bases = [torch.linalg.qr(side.mT).Q for side in (first, second)]
    return float(torch.linalg.matrix_norm(bases[0].mT @ bases[1], 2))
