"""How many tokens a model reads to make something: the cost of a training or of a fit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from torch import Tensor, nn

from evenkeel.models.architecture import architecture_of

P = ParamSpec("P")
T = TypeVar("T")


class TokenCount:
    """Tokens read so far, in units of one token's forward pass through all blocks."""

    def __init__(self, blocks: int) -> None:
        self._blocks, self._calls = blocks, 0

    @property
    def tokens(self) -> int:
        return round(self._calls / self._blocks)

    def add(self, output: Tensor) -> None:
        """Count what a block's first layer returned."""
        rows = output.numel() // output.shape[-1]
        self._calls += rows * (2 if output.requires_grad else 1)


@contextmanager
def counted_tokens(model: Any) -> Iterator[TokenCount]:
    """Count what the model reads while the block runs.

    A pass that reuses the outputs of its first blocks counts by the share of the blocks that run.
    Where gradients flow through a block, its tokens count twice: of frozen weights, the backward
    pass computes as much as the forward pass. Padding counts.
    """
    blocks = list(architecture_of(model).blocks(model))
    count = TokenCount(len(blocks))
    handles = [
        _first_layer(block).register_forward_hook(
            lambda _layer, _inputs, output: count.add(
                output if isinstance(output, Tensor) else output[0]
            )
        )
        for block in blocks
    ]
    try:
        yield count
    finally:
        for handle in handles:
            handle.remove()


def with_tokens(model: Any, make: Callable[P, T]) -> Callable[P, tuple[T, int]]:
    """The function, which also returns how many tokens the model read for it."""

    @wraps(make)
    def counted(*args: P.args, **kwargs: P.kwargs) -> tuple[T, int]:
        with counted_tokens(model) as count:
            made = make(*args, **kwargs)
        return made, count.tokens

    return counted


def _first_layer(block: nn.Module) -> nn.Module:
    """A part of the block that runs once in each pass that computes the block."""
    return next(
        module
        for module in block.modules()
        if not any(module.children()) and any(True for _ in module.parameters())
    )
