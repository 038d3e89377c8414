"""From the interventions at one place to one function of the residual stream there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor

from evenkeel.activations.sinks import SinkMeasurement, SinkProbe
from evenkeel.steering.gates import OpenAt, ProbeGate, read_together
from evenkeel.steering.intervention import Edit, Intervention, without_autocast
from evenkeel.steering.positions import PositionTracker, allows_all_generated
from evenkeel.steering.rows import RowShares

Made = TypeVar("Made")


def compose(
    interventions: Sequence[Intervention],
    measurement: SinkMeasurement,
    tracker: PositionTracker | None = None,
    sinks: SinkProbe | None = None,
    shares: RowShares | None = None,
) -> Edit:
    """One function for what several interventions do at the same place, one after the other.

    Args:
        interventions: in the order in which they act.
        measurement: of the model's sinks; nothing is done while it runs the model.
        tracker: what tells where in the text a forward pass is; None where nothing depends on it.
        sinks: what tells later attention sinks there, for those that leave sinks alone.
        shares: how much of it each row of the batch gets; None: all rows get all of it.
    """
    edits = [_placed(item, measurement, tracker, sinks, shares) for item in interventions]
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
    together = _OfType(lambda device, dtype: read_together(list(probes.values()), device, dtype))

    def next_open(stream: Tensor, least: int) -> int | None:
        is_open = together[stream.device, stream.dtype](stream).any(0).tolist()
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
    measurement: SinkMeasurement,
    tracker: PositionTracker | None,
    sinks: SinkProbe | None,
    shares: RowShares | None,
) -> Edit:
    """The intervention where its positions, its gates and attention sinks allow it, in the rows
    that get it."""
    placed = _OfType(lambda device, dtype: _Placed.of(intervention, sinks, device, dtype))
    positions, first = intervention.positions, intervention.first_position
    # A decoding step of a small model is so short that a few calls of Python in it are seen.
    decoding = tracker if shares is None and allows_all_generated(positions, first) else None

    def edit_all(stream: Tensor) -> Tensor:
        device = stream.device
        if torch.is_autocast_enabled(device.type):
            return without_autocast(edit_all, stream)
        return stream if measurement.runs else placed[device, stream.dtype].edit(stream)

    def edit_some(stream: Tensor) -> Tensor:
        device = stream.device
        if torch.is_autocast_enabled(device.type):
            return without_autocast(edit_some, stream)
        if measurement.runs or (shares is not None and shares.nowhere):
            return stream
        here = placed[device, stream.dtype]
        if decoding is not None and decoding.generates and not here.gates:
            return here.edit(stream)
        keep: bool | Tensor = True
        if tracker:
            keep = tracker.current.allowed(positions, first, device)
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

    return edit_all if intervention.everywhere and shares is None else edit_some


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


class _OfType(dict[tuple[torch.device, torch.dtype], Made], Generic[Made]):
    """What `make` gives for the device and type of a residual stream, made once for each."""

    def __init__(self, make: Callable[[torch.device, torch.dtype], Made]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: tuple[torch.device, torch.dtype]) -> Made:
        made = self[key] = self._make(*key)
        return made
