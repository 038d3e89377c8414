"""A backend without hooks: the forward methods of the modules are wrapped.

For code that drops or forbids hooks (some exporters, compilers and servers do). The instance's
`forward` is shadowed and not the module replaced, so that names, types and parameters stay.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from jaxtyping import Bool
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import HookTarget
from evenkeel.steering.intervention import Edit
from evenkeel.steering.plan import edit_input, edit_output, planned
from evenkeel.steering.spec import Steering


@contextmanager
def wrap(
    model: Any, spec: Steering, *, mask: Bool[Tensor, "texts column"] | None = None
) -> Iterator[None]:
    """Intervene while the block runs, as `hooks.steer` does, by wrapping `forward`.

    Raises:
        BadInputError: an intervention does not fit the model, or a module that it needs is already
            wrapped. Nothing has been wrapped then.
    """
    with planned(model, spec, mask) as places:
        for place in places:
            if hasattr(vars(place.target.module).get("forward"), "evenkeel_edit"):
                raise BadInputError(
                    f"{place.point} is already steered by this backend; pass "
                    "all interventions in one list, or use the backend 'hooks', which can be nested"
                )
        with ExitStack() as stack:
            for place in places:
                stack.enter_context(_wrapped(place.target, place.edit))
            yield


@contextmanager
def _wrapped(target: HookTarget, edit: Edit) -> Iterator[None]:
    module = target.module
    shadowed = vars(module).get("forward")
    forward: Callable[..., Any] = module.forward

    @wraps(forward)
    def steered(*args: Any, **kwargs: Any) -> Any:
        if target.side == "input":
            args, kwargs = edit_input(edit, args, kwargs)
            return forward(*args, **kwargs)
        return edit_output(edit, forward(*args, **kwargs))

    steered.evenkeel_edit = edit  # type: ignore[attr-defined]
    module.forward = steered
    try:
        yield
    finally:
        if shadowed is None:
            del module.forward
        else:
            module.forward = shadowed
