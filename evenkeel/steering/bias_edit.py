"""A backend that writes interventions into the weights, where weights can hold them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from evenkeel.steering.spec import Steering
from evenkeel.steering.weights import edited_weights


@contextmanager
def bias_edit(model: Any, spec: Steering) -> Iterator[None]:
    """Intervene while the block runs, with edited weights and without any hook.

    The original parameters are set aside and put back, so that the model is afterwards what it was,
    bit for bit and object for object.

    Raises:
        BadInputError: an intervention does not fit the model, or weights cannot hold it. Nothing
            has been edited then.
    """
    edited = edited_weights(model, spec)
    original = {(module, name): getattr(module, name) for module, name in edited}
    try:
        for (module, name), value in edited.items():
            setattr(module, name, nn.Parameter(value, requires_grad=False))
        yield
    finally:
        for (module, name), parameter in original.items():
            setattr(module, name, parameter)
