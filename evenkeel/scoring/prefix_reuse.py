"""Reuse cached block outputs upstream of the first intervention.

An intervention at layer l leaves the blocks before it as they were. On one batch that many
interventions are tried on, those blocks run once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from evenkeel.models.architecture import architecture_of
from evenkeel.steering.intervention import Intervention


@contextmanager
def recorded(model: Any) -> Iterator[list[Any]]:
    """Collect what each block returns in the one forward pass that runs inside."""
    outputs: list[Any] = []
    handles = [
        block.register_forward_hook(lambda _block, _inputs, output: outputs.append(output))
        for block in architecture_of(model).blocks(model)
    ]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def resumed(model: Any, outputs: Sequence[Any], start: int) -> Iterator[None]:
    """Let blocks before `start` return `outputs` without computing them.

    Their hooks still run, on what is returned, so that an edit of the last of them takes place.
    Inside, the model must see the batch that the outputs were recorded on, without a KV cache.
    """
    blocks = architecture_of(model).blocks(model)[:start]
    own = [vars(block).get("forward") for block in blocks]
    for block, output in zip(blocks, outputs, strict=False):
        block.forward = lambda *_args, _output=output, **_kwargs: _output
    try:
        yield
    finally:
        for block, forward in zip(blocks, own, strict=True):
            if forward is not None:  # another tool had wrapped it
                block.forward = forward
            else:
                del block.forward


def first_affected(interventions: Sequence[Intervention]) -> int:
    """Index of the first block that has to run: all before it compute what they always do."""
    return min(
        intervention.layer + (intervention.site == "resid_post") for intervention in interventions
    )
