"""The default backend: PyTorch hooks, gone when the block is left."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from jaxtyping import Bool
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from evenkeel.models.architecture import HookTarget
from evenkeel.steering.intervention import Edit
from evenkeel.steering.plan import (
    Planned,
    edit_input,
    edit_output,
    plan,
    planned,
    refuse_compiled,
)
from evenkeel.steering.positions import PositionTracker
from evenkeel.steering.rows import RowShares, RowSpec, are_rows
from evenkeel.steering.spec import Steering, interventions_in

_IDLE_PLANS = 16
"""Specs that no row uses and that stay hooked, so that a row that comes back finds its own."""


@contextmanager
def steer(
    model: Any,
    spec: Steering | Sequence[RowSpec],
    *,
    mask: Bool[Tensor, "texts column"] | None = None,
) -> Iterator[None]:
    """Intervene in every forward pass and every `generate` of a model while the block runs.

    Blocks may be nested: what an inner one does comes after the outer one at the same place. The
    edited stream is what any other hook sees, and what `output_hidden_states` returns. Leaving the
    block, also by an exception, leaves the model as it was, bit for bit. A function that
    `torch.compile` made of the model before is compiled again inside, the edits in its graph.

    Args:
        model: any causal LM of transformers whose family is known.
        spec: one intervention or several; at the same place they act in the order given. Or a
            `RowSpec` for each text of the batch: a row then gives what it gives alone.
        mask: for interventions at positions "mask": where they act, over the columns of the prompt,
            padding included. Beams and samples of a text share its row; generated text is left out.

    Raises:
        BadInputError: an intervention does not fit the model. Nothing has been hooked then.
    """
    if are_rows(spec):
        with steer_rows(model, mask=mask) as rows:
            rows.assign(spec)
            yield
        return
    with planned(model, cast(Steering, spec), mask) as places, all_hooked(places):
        yield


@contextmanager
def steered(model: Any, spec: Steering) -> Iterator[Any]:
    """`steer`, which yields the model."""
    with steer(model, spec):
        yield model


@contextmanager
def steer_rows(
    model: Any, *, mask: Bool[Tensor, "texts column"] | None = None
) -> Iterator["RowSteering"]:
    """Steer batches whose rows change between forward passes, as those of a server do.

    Nothing is done until rows are assigned.

    Raises:
        BadInputError: the model is compiled.
    """
    refuse_compiled(model)
    tracker = PositionTracker(mask)
    with tracker.watching(model), ExitStack() as stack:
        yield RowSteering(model, tracker, stack)


class RowSteering:
    """What is done to each row of the batches of one model."""

    def __init__(self, model: Any, tracker: PositionTracker, stack: ExitStack) -> None:
        self._model = model
        self._tracker = tracker
        self._plans: OrderedDict[int, tuple[Steering, RowShares, ExitStack]] = OrderedDict()
        stack.callback(lambda: self._drop(0))

    def assign(self, rows: Sequence[RowSpec]) -> None:
        """Take these rows from the next forward pass on; a spec is known by its identity.

        Raises:
            BadInputError: an intervention does not fit the model. The rows are then as before.
        """
        specs = {id(row.spec): row.spec for row in rows if row.spec is not None and row.share}
        for key, spec in specs.items():
            if key not in self._plans:
                self._plans[key] = self._planned(spec)
            self._plans.move_to_end(key)
        for key, (_, shares, _hooks) in self._plans.items():
            shares.assign([row.share if id(row.spec) == key else 0.0 for row in rows])
        self._drop(len(specs) + _IDLE_PLANS)

    def _planned(self, spec: Steering) -> tuple[Steering, RowShares, ExitStack]:
        shares = RowShares()
        places = plan(self._model, interventions_in(spec), self._tracker, shares)
        hooks = ExitStack()
        hooks.enter_context(all_hooked(places))
        return spec, shares, hooks

    def _drop(self, most: int) -> None:
        """Unhook the specs that were used longest ago until `most` are left."""
        while len(self._plans) > most:
            _, (_, _, hooks) = self._plans.popitem(last=False)
            hooks.close()


@contextmanager
def all_hooked(places: Sequence[Planned]) -> Iterator[None]:
    """Let what is planned happen while the block runs."""
    with ExitStack() as stack:
        for place in places:
            stack.enter_context(_shadowed(place.target.module))
            stack.enter_context(_hooked(place.target, place.edit))
        yield


@contextmanager
def _shadowed(module: nn.Module) -> Iterator[None]:
    """Let the module's `forward` be an attribute of its own.

    A compiled model does not look for the first hook of a module, and would run on unsteered; it
    does look where `forward` comes from.
    """
    if "forward" in vars(module):
        yield
        return
    module.forward = module.forward
    try:
        yield
    finally:
        del module.forward


class _Hook:
    """An edit as a forward pre-hook or a forward hook."""

    def __init__(self, edit: Edit) -> None:
        self.edit = edit


class _InputHook(_Hook):
    def __call__(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return edit_input(self.edit, args, kwargs)


class _OutputHook(_Hook):
    def __call__(self, _module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        return edit_output(self.edit, output)


def _hooked(target: HookTarget, edit: Edit) -> RemovableHandle:
    """Hook before all hooks but our own, so that whoever records the stream sees it edited."""
    module = target.module
    hooks: Any  # an OrderedDict that torch declares as a dict
    if target.side == "input":
        hooks = module._forward_pre_hooks
        handle = module.register_forward_pre_hook(_InputHook(edit), with_kwargs=True, prepend=True)
    else:
        hooks = module._forward_hooks
        handle = module.register_forward_hook(_OutputHook(edit), prepend=True)
    earlier = [key for key, hook in hooks.items() if isinstance(hook, _Hook) and key != handle.id]
    for key in reversed(earlier):
        hooks.move_to_end(key, last=False)
    return handle
