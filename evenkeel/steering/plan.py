"""From interventions to one function of the stream for each hook point of a model."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Bool
from torch import Tensor

from evenkeel.activations.capture import measure_sinks
from evenkeel.activations.sinks import SinkMeasurement, SinkProbe, measurement_of
from evenkeel.errors import BadInputError
from evenkeel.models.architecture import HookTarget, hook_target
from evenkeel.models.sites import HookPoint
from evenkeel.steering.gates import OpenAt
from evenkeel.steering.intervention import Edit, Intervention
from evenkeel.steering.positions import PositionTracker
from evenkeel.steering.rows import RowShares
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
    refuse_compiled(model)
    interventions = interventions_in(spec)
    tracker = PositionTracker(mask) if depends_on_place(interventions) else None
    places = plan(model, interventions, tracker)
    with tracker.watching(model) if tracker else nullcontext():
        yield places


def refuse_compiled(model: Any) -> None:
    """Refuse a model whose compiled code would not see what is done to it.

    Raises:
        BadInputError: it is compiled.
    """
    # torch.compile does not guard hooks: code compiled before would run on, silently unsteered.
    parts = model.modules()
    if hasattr(model, "_orig_mod") or any(part._compiled_call_impl for part in parts):
        raise BadInputError(
            "this model is compiled already, and compiled code does not see what is done to it "
            "later; steer the model as it was, and call torch.compile within the block"
        )


def plan(
    model: Any,
    interventions: Sequence[Intervention],
    tracker: PositionTracker | None = None,
    shares: RowShares | None = None,
) -> list[Planned]:
    """Find every hook point and what happens there, touching nothing.

    Interventions at the same place are composed in the order given, each seeing what those before
    it made of the stream. Constants go where the stream turns out to be, and take its type: neither
    is known of a model that is spread over devices, offloaded or quantized.

    Args:
        model: a causal LM of transformers.
        interventions: what is to be done.
        tracker: what tells where in the text a forward pass is; None where nothing depends on it.
        shares: how much of it each row of the batch gets; None: all rows get all of it.

    Raises:
        BadInputError: as of `check_fit`.
    """
    targets = check_fit(model, interventions)
    sparing = [item.point for item in interventions if item.sinks == "exclude"]
    probes, measurement = measure_sinks(model, sparing), measurement_of(model)
    return [
        Planned(
            point,
            targets[point],
            resting(compose(group, tracker, probes.get(point), shares), measurement),
        )
        for point, group in by_point(interventions).items()
    ]


def check_fit(model: Any, interventions: Sequence[Intervention]) -> dict[HookPoint, HookTarget]:
    """What is hooked for each intervention.

    Raises:
        BadInputError: the model lacks a layer or site, or its stream there has another width.
    """
    targets: dict[HookPoint, HookTarget] = {}
    for item in interventions:
        target = targets.setdefault(item.point, hook_target(model, item.point))
        check_width(item, target.width)
    return targets


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
    tracker: PositionTracker | None = None,
    sinks: SinkProbe | None = None,
    shares: RowShares | None = None,
) -> Edit:
    """One function for what several interventions do at the same place, one after the other.

    Args:
        interventions: in the order in which they act.
        tracker: what tells where in the text a forward pass is; None where nothing depends on it.
        sinks: what tells later attention sinks there, for those that leave sinks alone.
        shares: how much of it each row of the batch gets; None: all rows get all of it.
    """
    edits = [_placed(item, tracker, sinks, shares) for item in interventions]
    if len(edits) == 1:
        return edits[0]

    def edit_in_order(stream: Tensor) -> Tensor:
        for edit in edits:
            stream = edit(stream)
        return stream

    return edit_in_order


def resting(edit: Edit, measurement: SinkMeasurement) -> Edit:
    """The edit, but for forward passes in which the model's sinks are looked for."""
    return lambda stream: stream if measurement.runs else edit(stream)


def depends_on_place(interventions: Sequence[Intervention]) -> bool:
    """Whether any of them depends on positions or on tokens, and not on the stream alone."""
    return any(
        item.positions != "all"
        or item.first_position > 0
        or any(gate.reads_tokens for gate in item.gates)
        for item in interventions
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
    tracker: PositionTracker | None,
    sinks: SinkProbe | None,
    shares: RowShares | None,
) -> Edit:
    """The intervention where its positions, its gates and attention sinks allow it, in the rows
    that get it."""
    on = _following(lambda device, dtype: _Placed.of(intervention, sinks, device, dtype))
    if intervention.everywhere and shares is None:
        return lambda stream: on(stream).edit(stream)
    positions, first = intervention.positions, intervention.first_position

    def edit_some(stream: Tensor) -> Tensor:
        if shares is not None and shares.nowhere:
            return stream
        here = on(stream)
        keep: bool | Tensor = tracker.current.at(positions, stream.device) if tracker else True
        if keep is False:
            return stream
        if shares is not None and not shares.everywhere:
            keep = keep & shares.edited_rows(stream)
        if tracker and first:
            later = tracker.current.from_token(first, stream.device)
            keep = keep & later
        for gate in here.gates:
            is_open = gate(stream, tracker.current.input_ids if tracker else None)
            keep = is_open if keep is True else keep & is_open
        if shares is not None and _is_nowhere(keep):
            return stream
        edited = here.edit(stream)
        if shares is not None:
            edited = shares.blend(stream, edited)
        return (
            torch.where(keep.unsqueeze(-1), edited, stream) if isinstance(keep, Tensor) else edited
        )

    return edit_some


def _is_nowhere(keep: bool | Tensor) -> bool:
    """Whether an edit is seen to act nowhere, where looking costs less than the edit: gates are
    closed in most steps of a server. On a GPU looking would wait for it."""
    return (
        isinstance(keep, Tensor)
        and keep.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and not keep.any()
    )


@dataclass(frozen=True)
class _Placed:
    """An intervention's functions, their constants on one device."""

    edit: Edit
    gates: tuple[OpenAt, ...]

    @classmethod
    def of(
        cls,
        item: Intervention,
        sinks: SinkProbe | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> Self:
        gates = [gate.on(device, dtype) for gate in item.gates]
        if item.sinks == "exclude" and sinks is not None:
            probe = sinks.to(device)
            gates.append(lambda stream, _: probe(stream).logical_not())
        return cls(item.on(device, dtype), tuple(gates))


def _following(
    make: Callable[[torch.device, torch.dtype], _Placed],
) -> Callable[[Tensor], _Placed]:
    """What `make` gives for the device and type of a stream, made once for each."""
    made: dict[tuple[torch.device, torch.dtype], _Placed] = {}

    def on(stream: Tensor) -> _Placed:
        key = (stream.device, stream.dtype)
        if key not in made:
            made[key] = make(*key)
        return made[key]

    return on
