"""From a steering vector to what it does: the one place where vectors become interventions."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.params import Sinks
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import Gate
from evenkeel.steering.intervention import Ablate, Add, Intervention, Positions
from evenkeel.steering.rotation import Rotate
from evenkeel.vectors.erasers import Eraser
from evenkeel.vectors.vector import SteeringVector

VectorAction = Literal["add", "ablate", "mean_ablate", "rotate"]


def interventions_of(
    vectors: SteeringVector | Sequence[SteeringVector],
    action: str,
    multiplier: float = 1.0,
    *,
    relative: bool = True,
    midpoint: Float[Tensor, " d_model"] | None = None,
    positions: Positions = "all",
    gates: tuple[Gate, ...] = (),
    sinks: Sinks | None = None,
) -> list[Intervention]:
    """What an action does with vectors of one hook point, there.

    Several vectors are added one by one, and ablated together, as the space that they span.

    Args:
        vectors: one or several of the same site and layer.
        action: add; ablate (project out); mean_ablate (put the projection of `midpoint` there);
            rotate (turn the stream away, its norm kept).
        multiplier: of what is added; or the share of the projection that is taken out or moved, or
            of the angle.
        relative: whether what is added is in units of the vector's `stream_norm`, or absolute.
        midpoint: for mean_ablate.
        positions: where it acts.
        gates: where it acts, too.
        sinks: whether attention sinks are left alone; None: as when the vectors were made.

    Raises:
        BadInputError: no vector, vectors of several hook points, an unknown action, mean_ablate
            without a midpoint, or a multiplier that is not finite.
    """
    vectors = [vectors] if isinstance(vectors, SteeringVector) else list(vectors)
    points = {vector.point for vector in vectors}
    if len(points) != 1:
        raise BadInputError(
            f"{len(vectors)} vectors of {len(points)} hook points; give those of one at a time"
        )
    if action not in get_args(VectorAction):
        raise BadInputError(
            f"action {action!r} cannot be done with a vector; known: "
            f"{', '.join(get_args(VectorAction))}"
        )
    (point,) = points
    where: dict[str, Any] = {
        "layer": point.layer,
        "site": point.site,
        "positions": positions,
        "gates": gates,
        "sinks": sinks or vectors[0].sinks,
    }
    if action == "add":
        return [
            Add(
                vector.direction,
                multiplier * (vector.stream_norm if relative else 1.0),
                **where,
            )
            for vector in vectors
        ]
    directions = torch.stack([vector.direction for vector in vectors])
    directions = directions if len(vectors) > 1 else directions[0]
    if action == "ablate":
        return [Ablate(directions, multiplier, **where)]
    if action == "rotate":
        return [Rotate(directions, multiplier, **where)]
    if midpoint is None:
        raise BadInputError("mean_ablate needs the midpoint that the projection is moved to")
    return [MeanAblate(directions, midpoint, multiplier, **where)]


def erasure_of(
    eraser: Eraser,
    *,
    multiplier: float = 1.0,
    kept: Float[Tensor, " d_model"] | None = None,
    positions: Positions = "all",
    gates: tuple[Gate, ...] = (),
) -> Erase:
    """The erasure of the concept that an eraser was fitted to, at its hook point.

    Args:
        eraser: what is projected out.
        multiplier: share of it.
        kept: activation that stays as it is, and whose component takes the place of what is erased;
            None: the eraser's own.
        positions: where it acts.
        gates: where it acts, too.
    """
    return Erase(
        eraser.proj_left,
        eraser.proj_right,
        eraser.bias if kept is None else kept,
        multiplier,
        layer=eraser.point.layer,
        site=eraser.point.site,
        positions=positions,
        gates=gates,
        sinks=eraser.sinks,
    )
