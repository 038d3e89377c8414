"""Which rows of a batch's activations are kept."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Positions = Literal["all", "last", "mean"]
Selector = Callable[[Float[Tensor, "texts length width"]], Float[Tensor, "rows width"]]


def selector(lengths: Int[Tensor, " texts"], positions: Positions) -> Selector:
    """What keeps the asked rows of a right-padded batch and drops the padding.

    Args:
        lengths: tokens in each text, on the activations' device.
        positions: "all" keeps each token (rows = tokens, text after text), "last" each text's last
            token, "mean" the mean over each text's tokens, taken in float32 (rows = texts).

    Returns:
        A function from activations to a copy of the rows; it never returns a view.
    """
    length = int(lengths.max())
    inside = torch.arange(length, device=lengths.device) < lengths[:, None]
    if positions == "mean":
        weights = inside.float()[:, None, :] / lengths[:, None, None]
        return lambda hidden: (weights @ hidden.float()).squeeze(1)
    if positions == "last":
        rows = torch.arange(len(lengths), device=lengths.device) * length + lengths - 1
    else:
        rows = inside.flatten().nonzero().squeeze(1)
    return lambda hidden: hidden.flatten(0, 1).index_select(0, rows)
