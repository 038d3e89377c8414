"""What one tiny forward pass does with its tensors: which module makes each, and who reads it.

Values are numbered as the pass goes: a view, a copy or a cast of a tensor keeps its number, and so
does what dropout hands on in evaluation. Sums and scalings remember what they were made of, so that
the path of the residual stream through a block can be followed whatever a family calls its parts.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_KEPT = {
    "view",
    "_unsafe_view",
    "reshape",
    "alias",
    "detach",
    "clone",
    "_to_copy",
    "unsqueeze",
    "squeeze",
    "expand",
    "slice",
    "split",
    "contiguous",
}


_LARGEST = 1 << 20
"""Elements of a tensor that is kept alive to be recognized; a larger one is forgotten."""


@dataclass(frozen=True)
class Call:
    """One call of a module."""

    input: int | None
    """Number of the value that it was given first, None if that is no tensor."""
    output: int | None
    """Number of the value that it returned, or that came first in the tuple that it returned."""
    shape: tuple[int, ...]
    """Of the output."""
    input_shape: tuple[int, ...]
    given: Tensor | None
    """The input itself, if it has three dimensions or more."""
    value: Tensor | None
    """The output itself, if it has three dimensions or more."""


@dataclass
class Dataflow:
    """The record of a forward pass."""

    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    """By the module's path; the root is ""."""
    sums: dict[int, tuple[int, int]] = field(default_factory=dict)
    """The two values that a value is the sum of."""
    scaled: dict[int, int] = field(default_factory=dict)
    """The value that a value is a multiple of, by a number or by one weight."""
    lookups: dict[int, str] = field(default_factory=dict)
    """Rows of an embedding, and the path of the module that looked them up."""
    readers: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Paths of the modules that compute from a value themselves, not in a part of theirs."""

    def once(self, path: str) -> Call | None:
        """The call of a module that was called exactly once."""
        calls = self.calls.get(path, [])
        return calls[0] if len(calls) == 1 else None


def first_tensor(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """What a block or a part of one is given as the residual stream."""
    given = args[0] if args else kwargs.get("hidden_states")
    return given if isinstance(given, Tensor) else None


def _kept(tensor: Tensor) -> Tensor | None:
    """A copy that what is done to the tensor later does not change."""
    return tensor.clone() if tensor.dim() > 2 else None


class _Recorder(TorchDispatchMode):
    def __init__(self, flow: Dataflow) -> None:
        super().__init__()
        self.flow = flow
        self.running = [""]
        self._numbers: dict[int, int] = {}
        self._alive: list[Tensor] = []  # an id is unique only as long as its tensor lives
        self._count = 0

    def number(self, tensor: Tensor) -> int:
        if tensor.numel() > _LARGEST:  # a weight: nothing of the residual stream
            self._count += 1
            return self._count
        if id(tensor) not in self._numbers:
            self._alive.append(tensor)
            self._renumber(tensor)
        return self._numbers[id(tensor)]

    def _renumber(self, tensor: Tensor) -> int:
        self._count += 1
        self._numbers[id(tensor)] = self._count
        return self._count

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = [value for value in (*args, *(kwargs or {}).values()) if isinstance(value, Tensor)]
        numbers = [self.number(tensor) for tensor in given]
        made = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        first = made[0] if isinstance(made, tuple | list) and made else made
        if not isinstance(first, Tensor):
            return made
        if name in _KEPT and given and first.numel() == given[0].numel():
            self.number(first)
            self._numbers[id(first)] = numbers[0]
            return made
        for number in numbers:
            self.flow.readers[number].add(self.running[-1])
        self.number(first)
        number = self._renumber(first)  # also where the operation was done in place
        if name == "embedding":
            self.flow.lookups[number] = self.running[-1]
        if name.removesuffix("_") == "add" and len(numbers) == 2 and not (kwargs or {}):
            self.flow.sums[number] = (numbers[0], numbers[1])
        if name.removesuffix("_") in ("mul", "div") and (len(given) == 1 or given[1].numel() == 1):
            self.flow.scaled[number] = numbers[0]
        return made


@contextmanager
def recorded(model: nn.Module) -> Iterator[Dataflow]:
    """Record the forward passes of a model while the block runs; its hooks are gone afterwards."""
    flow = Dataflow()
    recorder = _Recorder(flow)
    inputs: list[tuple[int | None, tuple[int, ...], Tensor | None]] = []
    handles: list[Any] = []

    def begin(path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = first_tensor(args, kwargs)
        inputs.append(
            (None, (), None)
            if given is None
            else (recorder.number(given), tuple(given.shape), _kept(given))
        )
        recorder.running.append(path)

    def end(path: str, output: Any) -> None:
        recorder.running.pop()
        number, shape, given = inputs.pop()
        value = output[0] if isinstance(output, tuple) and output else output
        if isinstance(value, Tensor):
            output_number, kept = recorder.number(value), _kept(value)
            call = Call(number, output_number, tuple(value.shape), shape, given, kept)
        else:
            call = Call(number, None, (), shape, given, None)
        flow.calls[path].append(call)

    def hook(path: str, module: nn.Module) -> None:
        handles.append(
            module.register_forward_pre_hook(
                lambda _m, args, kwargs: begin(path, args, kwargs), with_kwargs=True
            )
        )
        handles.append(module.register_forward_hook(lambda _m, _args, output: end(path, output)))

    try:
        for path, module in model.named_modules():
            if path:
                hook(path, module)
        # Inference mode hides from a recorder what hands on the tensor that it was given.
        with torch.inference_mode(mode=False), torch.no_grad(), recorder:
            yield flow
    finally:
        for handle in handles:
            handle.remove()
