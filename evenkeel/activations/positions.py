"""Which rows of a batch's activations are kept."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from evenkeel.activations.sinks import SinkProbe, first_tokens
from evenkeel.errors import BadTextError
from evenkeel.models.sites import HookPoint
from evenkeel.params import Sinks

Positions = Literal["all", "last", "mean"]
Selector = Callable[[Float[Tensor, "texts length width"], HookPoint], Float[Tensor, "rows width"]]
Probes = Mapping[HookPoint, SinkProbe | None]
"""What tells later attention sinks at each hook point; None where there are none."""


def selector(
    lengths: Int[Tensor, " texts"],
    positions: Positions,
    sinks: Sinks = "include",
    probes: Probes | None = None,
) -> Selector:
    """What keeps the asked rows of a right-padded batch and drops the padding.

    Args:
        lengths: tokens in each text.
        positions: "all" keeps each token (rows = tokens, text after text), "last" each text's last
            token, "mean" the mean over each text's tokens, taken in float32 (rows = texts).
        sinks: whether attention sinks are left out of means.
        probes: of the hook points, where they are left out.

    Returns:
        A function from activations, on any device, and the hook point that they are of, to a copy
        of the rows there; it never returns a view.
    """
    lengths = lengths.cpu()
    length = int(lengths.max())
    place = torch.arange(length)
    inside = place < lengths[:, None]
    if positions == "mean":
        # A text that is nothing but sinks keeps what comes after its first token, or that one.
        skipped = lengths.clamp(max=first_tokens(sinks) + 1) - 1
        later = inside & (place >= skipped[:, None])
        return _mean_over(later, probes or {})
    if positions == "last":
        rows = torch.arange(len(lengths)) * length + lengths - 1
    else:
        rows = inside.flatten().nonzero().squeeze(1)
    rows_on = cache(rows.to)
    return lambda hidden, _: hidden.flatten(0, 1).index_select(0, rows_on(hidden.device))


def _mean_over(counted: Bool[Tensor, "texts length"], probes: Probes) -> Selector:
    counted_on = cache(counted.to)

    def mean(hidden: Tensor, point: HookPoint) -> Tensor:
        here, exact = counted_on(hidden.device), hidden.float()
        probe = probes.get(point)
        if probe is not None:
            kept = here & ~probe(exact)
            here = kept | (here & ~kept.any(dim=1, keepdim=True))
        # What is not counted may be infinite in half precision: zero times that would be no number.
        exact = exact.masked_fill(~here[..., None], 0)
        weights = here.float() / here.sum(dim=1, keepdim=True)
        return (weights[:, None, :] @ exact).squeeze(1)

    return mean


def refuse_only_sinks(
    lengths: Sequence[int], positions: Positions, sinks: Sinks, first: int = 0
) -> None:
    """Refuse texts that have nothing but an attention sink to show.

    Args:
        lengths: tokens in each text.
        positions: what is kept of them.
        sinks: whether sinks count.
        first: number of the first text in the whole set, for messages.

    Raises:
        BadTextError: a text ends with its first token, which is left out.
    """
    if positions == "all":
        return
    for number, length in enumerate(lengths, start=first):
        if length <= first_tokens(sinks):
            raise BadTextError(
                f"text {number} (from 0) has only {length} token, which is an attention sink and "
                "left out; put a neutral sentence before it, or set sinks to include"
            )
