"""The one descent by which everything is trained that leaves the model's own weights alone."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.progress import Progress

WARM_UP = 10
"""Steps over which the rate rises; from then on it falls to `LAST` of itself."""
LAST = 0.05


def descend(
    leaves: Sequence[Tensor],
    loss: Callable[[int], Float[Tensor, ""]],
    *,
    steps: int,
    rate: float,
    title: str,
) -> None:
    """Minimize a loss over some tensors by Adam, in place; no other tensor gets a gradient.

    Args:
        leaves: what is trained.
        loss: of a step, by its number, from what the leaves are then.
        steps: how many.
        rate: of Adam, at its highest.
        title: of the progress line.
    """
    optimizer = torch.optim.Adam(leaves, lr=rate)
    for step in Progress(range(steps), desc=title, unit="step", leave=False):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / WARM_UP, max(LAST, 1 - step / steps))
        # Of these tensors alone: the model's own get no gradients.
        for leaf, gradient in zip(leaves, torch.autograd.grad(loss(step), leaves), strict=True):
            leaf.grad = gradient
        optimizer.step()
