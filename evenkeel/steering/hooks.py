"""The default backend: PyTorch hooks, gone when the block is left."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from jaxtyping import Bool
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from evenkeel.models.architecture import HookTarget
from evenkeel.steering.intervention import Edit
from evenkeel.steering.plan import edit_input, edit_output, planned
from evenkeel.steering.spec import Steering


@contextmanager
def steer(
    model: Any,
    spec: Steering,
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
        spec: one intervention or several; at the same place they act in the order given.
        mask: for interventions at positions "mask": where they act, over the columns of the prompt,
            padding included. Beams and samples of a text share its row; generated text is left out.

    Raises:
        BadInputError: an intervention does not fit the model. Nothing has been hooked then.
    """
    with planned(model, spec, mask) as places, ExitStack() as stack:
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
