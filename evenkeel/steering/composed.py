"""From the interventions at one place to one function of the residual stream there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import torch
from torch import Tensor

from evenkeel.activations.sinks import SinkProbe
from evenkeel.steering.gates import OpenAt, ProbeGate, read_together
from evenkeel.steering.intervention import Edit, Intervention
from evenkeel.steering.positions import PositionTracker
from evenkeel.steering.rows import RowShares

Made = TypeVar("Made")


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

    def in_order(stream: Tensor) -> Tensor:
        for edit in edits:
            stream = edit(stream)
        return stream

    return in_order if shares is None else _passing_over(edits, interventions, shares, in_order)


def _passing_over(
    edits: Sequence[Edit], interventions: Sequence[Intervention], shares: RowShares, in_order: Edit
) -> Edit:
    """The edits in order; a decoding step passes over those whose probe is closed in every row.

    Gates are closed in most steps of a server. One product reads the probes of all, and again after
    each edit, which may open or close those behind it.
    """
    probes = {
        number: gate
        for number, item in enumerate(interventions)
        for gate in item.gates
        if isinstance(gate, ProbeGate)
    }
    if len(probes) < 2:
        return in_order
    together = _following(lambda device, dtype: read_together(list(probes.values()), device, dtype))

    def next_open(stream: Tensor, least: int) -> int | None:
        is_open = together(stream)(stream).any(0).tolist()
        closed = {number for number, some in zip(probes, is_open, strict=True) if not some}
        return next((number for number in range(least, len(edits)) if number not in closed), None)

    def passing_over(stream: Tensor) -> Tensor:
        if shares.nowhere:
            return stream
        if stream.shape[1] > 1 or not _is_cheap_to_look_at(stream):
            return in_order(stream)
        number = next_open(stream, 0)
        while number is not None:
            stream = edits[number](stream)
            number = next_open(stream, number + 1) if number + 1 < len(edits) else None
        return stream

    return passing_over


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
        keep: bool | Tensor = True
        if tracker:
            keep = tracker.current.allowed(positions, first, stream.device)
        if keep is False:
            return stream
        if shares is not None and not shares.everywhere:
            keep = keep & shares.edited_rows(stream)
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
    """Whether an edit is seen to act nowhere, where looking costs less than the edit."""
    return isinstance(keep, Tensor) and _is_cheap_to_look_at(keep) and not keep.any()


def _is_cheap_to_look_at(tensor: Tensor) -> bool:
    """Whether Python may ask for its values: on a GPU it would wait for them."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


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
    make: Callable[[torch.device, torch.dtype], Made],
) -> Callable[[Tensor], Made]:
    """What `make` gives for the device and type of a stream, made once for each."""
    made: dict[tuple[torch.device, torch.dtype], Made] = {}

    def on(stream: Tensor) -> Made:
        key = (stream.device, stream.dtype)
        if key not in made:
            made[key] = make(*key)
        return made[key]

    return on
