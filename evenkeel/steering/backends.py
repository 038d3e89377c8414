"""The backends by name: the ways in which a spec gets into a model of transformers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from evenkeel.errors import BadInputError

if TYPE_CHECKING:
    from jaxtyping import Bool
    from torch import Tensor

    from evenkeel.steering.spec import Steering

Backend = Callable[..., AbstractContextManager[Any]]
"""(model, tokenizer, spec, mask) -> a context manager that yields what to generate with."""


@contextmanager
def steered(
    backend: str,
    model: Any,
    tokenizer: Any,
    spec: "Steering",
    *,
    mask: "Bool[Tensor, 'texts column'] | None" = None,
) -> Iterator[Any]:
    """Steer by the backend of that name while the block runs.

    Yields what to generate with: the model, or what the backend makes of it, whose `generate` takes
    what that of transformers takes. The model is afterwards what it was.

    Args:
        backend: one of `BACKENDS`.
        model: a causal LM of transformers.
        tokenizer: of the model; sinks are looked for on texts that begin as it has them begin.
        spec: what is to be done.
        mask: as of `hooks.steer`.

    Raises:
        BadInputError: the spec does not fit the model, the backend is unknown or cannot do what the
            spec says, or its package is not installed. Nothing has been steered then.
    """
    if backend not in BACKENDS:
        raise BadInputError(f"backend {backend!r} is unknown; known: {', '.join(BACKENDS)}")
    from evenkeel.models.encoding import front_noted

    noted = nullcontext() if tokenizer is None else front_noted(model, tokenizer)
    with noted, BACKENDS[backend](model, tokenizer, spec, mask) as generating:
        yield generating


@contextmanager
def _hooks(model: Any, _: Any, spec: "Steering", mask: Any) -> Iterator[Any]:
    from evenkeel.steering.hooks import steer

    with steer(model, spec, mask=mask):
        yield model


@contextmanager
def _wrapper(model: Any, _: Any, spec: "Steering", mask: Any) -> Iterator[Any]:
    from evenkeel.steering.wrapper import wrap

    with wrap(model, spec, mask=mask):
        yield model


@contextmanager
def _bias_edit(model: Any, _: Any, spec: "Steering", _mask: Any) -> Iterator[Any]:
    from evenkeel.steering.bias_edit import bias_edit

    with bias_edit(model, spec):
        yield model


@contextmanager
def _transformer_lens(model: Any, tokenizer: Any, spec: "Steering", _: Any) -> Iterator[Any]:
    from evenkeel.steering.lens import bridged, steer_lens

    bridge = bridged(model, tokenizer)
    with steer_lens(bridge, spec):
        yield bridge.original_model


@contextmanager
def _nnsight(model: Any, tokenizer: Any, spec: "Steering", mask: Any) -> Iterator[Any]:
    try:
        from nnsight import TransformersModel
    except ImportError as error:
        raise BadInputError(f"this backend needs nnsight ({error}): pip install nnsight") from error
    from evenkeel.steering.nnsight import edit_traces

    traced = TransformersModel(model, tokenizer=tokenizer, task="text-generation")
    with edit_traces(traced, spec, mask=mask) as generating:
        yield generating


@contextmanager
def _baukit(model: Any, _: Any, spec: "Steering", mask: Any) -> Iterator[Any]:
    from evenkeel.steering.baukit import edit_outputs

    with edit_outputs(model, spec, mask=mask):
        yield model


BACKENDS: Mapping[str, Backend] = {
    "hooks": _hooks,
    "wrapper": _wrapper,
    "bias_edit": _bias_edit,
    "transformer_lens": _transformer_lens,
    "nnsight": _nnsight,
    "baukit": _baukit,
}
"""By name, the default first."""
