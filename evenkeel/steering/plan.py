"""From interventions to one function of the stream for each hook point of a model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import HookTarget, hook_target
from evenkeel.models.sites import HookPoint
from evenkeel.steering.intervention import Edit, Intervention
from evenkeel.steering.positions import PositionTracker
from evenkeel.steering.spec import Steering, interventions_in


@dataclass(frozen=True)
class Planned:
    """What happens to the stream at one place of the model."""

    point: HookPoint
    target: HookTarget
    edit: Edit


@contextmanager
def planned(
    model: Any, spec: Steering, mask: Bool[Tensor, "texts column"] | None = None
) -> Iterator[list[Planned]]:
    """Plan what a spec does to a model; positions are followed while the block runs.

    Raises:
        BadInputError: as of `plan`, or the model is compiled; before the block is entered.
    """
    _refuse_compiled(model)
    interventions = interventions_in(spec)
    tracker = PositionTracker(mask) if depends_on_place(interventions) else None
    places = plan(model, interventions, tracker)
    with tracker.watching(model) if tracker else nullcontext():
        yield places


def _refuse_compiled(model: Any) -> None:
    # torch.compile does not guard hooks: code compiled before would run on, silently unsteered.
    parts = model.modules()
    if hasattr(model, "_orig_mod") or any(part._compiled_call_impl for part in parts):
        raise BadInputError(
            "this model is compiled already, and compiled code does not see what is done to it "
            "later; steer the model as it was, and call torch.compile within the block"
        )


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
    targets: dict[HookPoint, HookTarget] = {}
    for item in interventions:
        target = targets.setdefault(item.point, hook_target(model, item.point))
        width = model.config.get_text_config().hidden_size
        if item.site == "head_z":
            # Heads may together be wider than the stream; a Conv1D calls its input width nx.
            width = getattr(target.module, "in_features", None) or target.module.nx
        check_width(item, width)
    places = []
    for point, group in by_point(interventions).items():
        target = targets[point]
        weight = next(p for p in target.module.parameters() if p.is_floating_point())
        edit = compose(group, weight.device, weight.dtype, tracker)
        places.append(Planned(point, target, edit))
    return places


def by_point(interventions: Sequence[Intervention]) -> dict[HookPoint, list[Intervention]]:
    """Interventions by hook point, their order kept."""
    groups: dict[HookPoint, list[Intervention]] = {}
    for item in interventions:
        groups.setdefault(item.point, []).append(item)
    return groups


def check_width(item: Intervention, width: int) -> None:
    """Refuse an intervention, or a gate of it, that was made for a stream of another width.

    Raises:
        BadInputError: it was.
    """
    for given in (item.width, *(gate.width for gate in item.gates)):
        if given not in (None, width):
            raise BadInputError(
                f"{type(item).__name__} at layer {item.layer}, {item.site}: made for a width of "
                f"{given}, but this model has {width} there; use a vector, probe or eraser that "
                "was computed on this model"
            )


def compose(
    interventions: Sequence[Intervention],
    device: torch.device,
    dtype: torch.dtype,
    tracker: PositionTracker | None = None,
) -> Edit:
    """One function for what several interventions do at the same place, one after the other."""
    edits = [_placed(item, device, dtype, tracker) for item in interventions]
    if len(edits) == 1:
        return edits[0]

    def edit_in_order(stream: Tensor) -> Tensor:
        for edit in edits:
            stream = edit(stream)
        return stream

    return edit_in_order


def depends_on_place(interventions: Sequence[Intervention]) -> bool:
    """Whether any of them depends on positions or on tokens, and not on the stream alone."""
    return any(
        intervention.positions != "all"
        or intervention.first_position > 0
        or any(gate.reads_tokens for gate in intervention.gates)
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


def _placed(
    intervention: Intervention,
    device: torch.device,
    dtype: torch.dtype,
    tracker: PositionTracker | None,
) -> Edit:
    """The intervention where its positions and gates allow it."""
    edit = intervention.on(device, dtype)
    gates = [gate.on(device, dtype) for gate in intervention.gates]
    positions, first = intervention.positions, intervention.first_position
    if positions == "all" and not first and not gates:
        return edit

    def edit_some(stream: Tensor) -> Tensor:
        keep: bool | Tensor = tracker.current.at(positions) if tracker else True
        if keep is False:
            return stream
        if tracker and first:
            keep = keep & tracker.current.from_token(first)
        for gate in gates:
            is_open = gate(stream, tracker.current.input_ids if tracker else None)
            keep = is_open if keep is True else keep & is_open
        edited = edit(stream)
        return edited if keep is True else torch.where(keep.unsqueeze(-1), edited, stream)

    return edit_some
