"""A backend through `baukit.TraceDict`, for code that is built on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Bool
from torch import Tensor, nn

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import hook_target
from evenkeel.models.sites import HookPoint
from evenkeel.steering.intervention import Edit
from evenkeel.steering.plan import Planned, edit_output, planned
from evenkeel.steering.spec import Steering


@contextmanager
def edit_outputs(
    model: Any, spec: Steering, *, mask: Bool[Tensor, "texts column"] | None = None
) -> Iterator[None]:
    """Intervene while the block runs, as `hooks.steer` does, through `TraceDict(edit_output=...)`.

    baukit edits what modules return, never what they are given: the stream before a block is
    edited where the block before it returns it.

    Raises:
        BadInputError: an intervention does not fit the model, or acts on the input of the first
            block or of a projection (head_z), or baukit is not installed. Nothing has been edited
            then.
    """
    try:
        from baukit import TraceDict
    except ImportError as error:
        raise BadInputError(
            "this backend needs baukit, which no package index has; install it from its repository "
            "(github.com/davidbau/baukit), or use the backend 'hooks'"
        ) from error
    names = {module: name for name, module in model.named_modules()}
    with planned(model, spec, mask) as places:
        edits: dict[str, list[Edit]] = {}
        # What a block returns is edited as its output before it is edited as the next one's input.
        for place in sorted(places, key=lambda place: place.point.site == "resid_pre"):
            edits.setdefault(names[_returning(model, place)], []).append(place.edit)

        def edited(output: Any, layer: str) -> Any:
            for edit in edits[layer]:
                output = edit_output(edit, output)
            return output

        with TraceDict(model, list(edits), retain_output=False, edit_output=edited):
            yield


def _returning(model: Any, place: Planned) -> nn.Module:
    """The module that returns what is at that place."""
    if place.target.side == "output":
        return place.target.module
    point = place.point
    if point.site == "resid_pre" and point.layer:
        return hook_target(model, HookPoint("resid_post", point.layer - 1)).module
    raise BadInputError(
        f"{point}: baukit edits only what modules return, and no known "
        "module returns the stream there; use the backend 'hooks'"
    )
