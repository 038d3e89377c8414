"""From interventions to one function of the stream for each hook point of a model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from jaxtyping import Bool
from torch import Tensor

from evenkeel.activations.capture import measure_sinks
from evenkeel.activations.sinks import measurement_of
from evenkeel.errors import BadInputError
from evenkeel.models.architecture import HookTarget, hook_target
from evenkeel.models.sites import HookPoint
from evenkeel.steering.composed import compose
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
            compose(group, measurement, tracker, probes.get(point), shares),
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
    if isinstance(output, Tensor):
        return edit(output)
    return (edit(output[0]), *output[1:])
