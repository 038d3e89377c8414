"""From interventions to one function of the stream for each hook point of a model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import HookPoint, hook_point
from evenkeel.params import Site
from evenkeel.steering.intervention import Edit, Intervention
from evenkeel.steering.positions import PositionTracker
from evenkeel.steering.spec import Steering, interventions_in


@dataclass(frozen=True)
class Planned:
    """What happens to the stream at one place of the model."""

    layer: int
    site: Site
    point: HookPoint
    edit: Edit


@contextmanager
def planned(
    model: Any, spec: Steering, mask: Bool[Tensor, "texts column"] | None = None
) -> Iterator[list[Planned]]:
    """Plan what a spec does to a model; positions are followed while the block runs.

    Raises:
        BadInputError: as of `plan`, before the block is entered.
    """
    interventions = interventions_in(spec)
    tracker = PositionTracker(mask) if _depends_on_place(interventions) else None
    places = plan(model, interventions, tracker)
    with tracker.watching(model) if tracker else nullcontext():
        yield places


def plan(
    model: Any, interventions: Sequence[Intervention], tracker: PositionTracker | None = None
) -> list[Planned]:
    """Find every place and move every constant there, touching nothing.

    Interventions at the same place are composed in the order given, each seeing what those before
    it made of the stream.

    Args:
        tracker: what tells where in the text a forward pass is; None where nothing depends on it.

    Raises:
        BadInputError: the model lacks a layer or site, or its stream there has another width.
    """
    edits: dict[tuple[int, Site], list[Edit]] = {}
    points: dict[tuple[int, Site], HookPoint] = {}
    for intervention in interventions:
        place = (intervention.layer, intervention.site)
        point = points.setdefault(place, hook_point(model, *place))
        _check_width(model, intervention, point)
        edits.setdefault(place, []).append(_placed(intervention, point.module, tracker))
    return [Planned(*place, points[place], _composed(steps)) for place, steps in edits.items()]


def _depends_on_place(interventions: Sequence[Intervention]) -> bool:
    """Whether any of them depends on positions or on tokens, and not on the stream alone."""
    return any(
        intervention.positions != "all" or any(gate.reads_tokens for gate in intervention.gates)
        for intervention in interventions
    )


def edit_input(edit: Edit, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """A block's or a projection's arguments, the stream among them edited."""
    if args:
        return (edit(args[0]), *args[1:]), kwargs
    return args, kwargs | {"hidden_states": edit(kwargs["hidden_states"])}


def edit_output(edit: Edit, output: Any) -> Any:
    """What a module returned, the stream in it edited."""
    if isinstance(output, tuple):
        return (edit(output[0]), *output[1:])
    return edit(output)


def _check_width(model: Any, intervention: Intervention, point: HookPoint) -> None:
    width = model.config.get_text_config().hidden_size
    if intervention.site == "head_z":
        # Heads may together be wider than the stream; a Conv1D calls its input width nx.
        width = getattr(point.module, "in_features", None) or point.module.nx
    fits = [intervention.width, *(gate.width for gate in intervention.gates)]
    for given in fits:
        if given not in (None, width):
            raise BadInputError(
                f"{type(intervention).__name__} at layer {intervention.layer}, "
                f"{intervention.site}: made for a width of {given}, but this model has {width} "
                "there; use a vector, probe or eraser that was computed on this model"
            )


def _placed(intervention: Intervention, module: nn.Module, tracker: PositionTracker | None) -> Edit:
    """The intervention where its positions and gates allow it."""
    weight = next(p for p in module.parameters() if p.is_floating_point())
    edit = intervention.on(weight.device, weight.dtype)
    gates = [gate.on(weight.device, weight.dtype) for gate in intervention.gates]
    positions = intervention.positions
    if positions == "all" and not gates:
        return edit

    def edit_some(stream: Tensor) -> Tensor:
        keep: bool | Tensor = tracker.current.at(positions) if tracker else True
        if keep is False:
            return stream
        for gate in gates:
            is_open = gate(stream, tracker.current.input_ids if tracker else None)
            keep = is_open if keep is True else keep & is_open
        edited = edit(stream)
        return edited if keep is True else torch.where(keep.unsqueeze(-1), edited, stream)

    return edit_some


def _composed(edits: list[Edit]) -> Edit:
    if len(edits) == 1:
        return edits[0]

    def edit_in_order(stream: Tensor) -> Tensor:
        for edit in edits:
            stream = edit(stream)
        return stream

    return edit_in_order
