"""Where a model takes its token ids and what type it computes in, however its weights are kept.

A model may be spread over several GPUs, wait on the "meta" device until accelerate's hooks bring
its weights in, or keep them as integers: its first parameter says nothing of all that.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from evenkeel.errors import BadInputError


def input_device(model: Any) -> torch.device:
    """The device to which token ids go."""
    embedding = getattr(model, "get_input_embeddings", lambda: None)()
    for module in (embedding, model):
        hook = getattr(module, "_hf_hook", None)
        for one in getattr(hook, "hooks", (hook,)):  # accelerate chains several in one
            device = getattr(one, "execution_device", None)
            if device is not None:
                return torch.device(device)
    first = embedding.parameters() if embedding is not None else ()
    for tensor in chain(first, _tensors(model)):
        if tensor.device.type != "meta":
            return tensor.device
    return torch.device("cpu")


def computing_dtype(model: Any) -> torch.dtype:
    """The type of the first floating-point parameter; float32 where all are packed as integers."""
    kinds = (tensor.dtype for tensor in _tensors(model) if tensor.is_floating_point())
    return next(kinds, torch.float32)


def quick_gradients(device: torch.device) -> AbstractContextManager[None]:
    """Attention as plain products where torch's fused kernel is slow to differentiate.

    On a processor its backward pass in bfloat16 takes two to five times as long; in float32 both
    take the same.
    """
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def weight_of(module: Any) -> Float[Tensor, "..."]:
    """A module's weight as numbers: dequantized, and brought in if it waits on the meta device.

    Raises:
        BadInputError: it is packed in a format that has no numbers of its own.
    """
    weight = module.weight
    weight = weight() if callable(weight) and not isinstance(weight, Tensor) else weight
    if weight.is_quantized:
        return weight.dequantize()
    if weight.device.type == "meta":
        from accelerate.utils import align_module_device

        with align_module_device(module):
            weight = module.weight.detach().clone()
    if not weight.is_floating_point():
        raise BadInputError(
            f"the weights of a {type(module).__name__} are packed as {weight.dtype}; load the "
            "model with this module in floating point"
        )
    found: Tensor = weight.detach()
    return found


def _tensors(model: Any) -> Iterator[Tensor]:
    return chain(model.parameters(), model.buffers())
