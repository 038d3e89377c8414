"""Two GPUs without one: fake tensors have a device and a shape but no data.

FakeTensorMode refuses what a real machine refuses, such as a sum of tensors on two devices, so a
forward pass through it finds mistakes of placement wherever tests run.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

aten = torch.ops.aten
FIRST, SECOND = torch.device("cuda:0"), torch.device("cuda:1")


class _WithoutCudaBindings(TorchFunctionMode):
    """What Python's bindings ask a CUDA runtime for, done by operators that fake tensors know."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        on_gpu = bool(args) and isinstance(args[0], Tensor) and args[0].device.type == "cuda"
        if on_gpu and func is Tensor.__getitem__:
            return _indexed(*args)
        if on_gpu and func is Tensor.__invert__:
            return aten.bitwise_not.default(args[0])
        if on_gpu and func is Tensor.contiguous:
            return aten.clone.default(args[0])
        return func(*args, **(kwargs or {}))


def _indexed(tensor: Tensor, key: Any) -> Tensor:
    keys = list(key) if isinstance(key, tuple) else [key]
    used = sum(part is not None and part is not Ellipsis for part in keys)
    if not any(part is Ellipsis for part in keys):
        keys.append(Ellipsis)
    at = next(place for place, part in enumerate(keys) if part is Ellipsis)
    keys[at : at + 1] = [slice(None)] * (tensor.dim() - used)
    indices: list[Tensor | None] = []
    for part in keys:
        dimension = len(indices)
        if part is None:
            tensor = aten.unsqueeze.default(tensor, dimension)
            indices.append(None)
        elif isinstance(part, int):
            tensor = aten.select.int(tensor, dimension, part)
        elif isinstance(part, slice):
            bounds = (part.start, part.stop, part.step or 1)
            tensor = aten.slice.Tensor(tensor, dimension, *bounds)
            indices.append(None)
        else:
            indices.append(torch.as_tensor(part))
    if any(index is not None for index in indices):
        return aten.index.Tensor(tensor, indices)
    return tensor


@contextmanager
def fake_gpus() -> Iterator[None]:
    """While the block runs, tensors are fake, and may be on cuda:0 and cuda:1."""

    def to(module: nn.Module, device: Any) -> nn.Module:
        move(module, torch.device(device))
        return module

    with ExitStack() as stack:
        # Neither knows fake tensors: inference mode, and a module's swap of its parameters.
        stack.enter_context(patch.object(torch, "inference_mode", lambda *_, **__: torch.no_grad()))
        stack.enter_context(patch.object(nn.Module, "to", to))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        stack.enter_context(_WithoutCudaBindings())
        yield


def move(module: nn.Module, device: torch.device) -> None:
    """Put fakes of a module's tensors on a device; call it within `fake_gpus`."""
    for part in module.modules():
        for name, value in [*vars(part).items()]:
            if isinstance(value, Tensor):
                setattr(part, name, torch.empty(value.shape, dtype=value.dtype, device=device))
        for tensors in (part._parameters, part._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    fake = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
                    kept = nn.Parameter(fake, requires_grad=False)
                    tensors[name] = kept if isinstance(tensor, nn.Parameter) else fake


def spread(model: Any, *, in_turn: bool = False) -> None:
    """Put a llama's first blocks on one GPU and the others, with the head, on the other one.

    As accelerate does with device_map: each part brings its input over. With `in_turn`, as a map
    that somebody wrote by hand may have it: every other block on the other one, the embeddings
    where the head is not.
    """
    move(model, FIRST)
    blocks = model.model.layers
    there = blocks[1::2] if in_turn else blocks[len(blocks) // 2 :]
    for part in (*there, model.model.norm, model.lm_head):
        move(part, SECOND)
    for part in (model.model.embed_tokens, *blocks, model.model.norm, model.lm_head):
        device = next(part.parameters()).device
        add_hook_to_module(part, AlignDevicesHook(execution_device=device))
