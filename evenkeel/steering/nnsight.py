"""A backend for models of nnsight: the same specs as edits that every trace replays."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from jaxtyping import Bool
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.steering.plan import Planned, edit_input, edit_output, planned
from evenkeel.steering.spec import Steering


@contextmanager
def edit_traces(
    model: Any, spec: Steering, *, mask: Bool[Tensor, "texts column"] | None = None
) -> Iterator[Any]:
    """A twin of an nnsight model whose traces and generations are steered while the block runs.

        with edit_traces(model, spec) as steered, steered.trace(text):
            stream = steered.transformer.h[3].output.save()  # as the intervention left it

    The model itself stays unedited. As with any edit of nnsight, calling the twin outside a trace
    (`steered(ids)`) runs the module as it is: use `trace(..., trace=False)` or `generate`.

    Args:
        model: an `NNsight` or `TransformersModel` around a causal LM of transformers, its weights
            loaded. Nothing is sent to a remote service.
        spec: as of `hooks.steer`.
        mask: as of `hooks.steer`.

    Raises:
        BadInputError: an intervention does not fit the model, or its weights are not loaded.
    """
    wrapped = model._module
    if any(parameter.is_meta for parameter in wrapped.parameters()):
        raise BadInputError(
            "the nnsight model has no weights yet, so nothing can be moved to where they are; "
            "load it with dispatch=True"
        )
    paths = {module: name for name, module in wrapped.named_modules()}
    with planned(wrapped, spec, mask) as places:
        steered = model
        for place in places:
            steered = _edited(steered, paths[place.target.module], place)
        yield steered


def _edited(model: Any, path: str, place: Planned) -> Any:
    """A twin with one edit more, at every forward pass of a trace."""
    from nnsight.intervention.interleaver import OutOfOrderError

    edit = place.edit
    part = model.get(path)
    # nnsight compiles the body of these blocks and runs it beside the model. When the last forward
    # pass is over it ends the loop by an error, thrown in the body: so `suppress` must be in there.
    if place.target.side == "input":
        with model.edit() as (tracer, twin):  # noqa: SIM117
            with suppress(OutOfOrderError):
                for _ in tracer.iter[:]:
                    part.inputs = edit_input(edit, *part.inputs)
    else:
        with model.edit() as (tracer, twin):  # noqa: SIM117
            with suppress(OutOfOrderError):
                for _ in tracer.iter[:]:
                    part.output = edit_output(edit, part.output)
    return twin
