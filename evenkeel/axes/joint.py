"""One joint distribution of items and groups, so that both directions of asking agree."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.axes.axis import SPLITS
from evenkeel.axes.intersections import Intersection
from evenkeel.axes.items import Item


def balancing_weights(
    rates: Float[ndarray, "items groups"],
) -> Float[ndarray, " items"]:
    """Weights of items, summing to 1, under which every group is equally likely.

    Of all such weights these are closest to equal ones (in Kullback-Leibler divergence). With them
    as P(item), the rates P(group | item) and the shares P(item | group) belong to one joint
    distribution, in which log P(item | group) differs between groups exactly as
    log P(group | item) does.

    Args:
        rates: P(group | item); rows sum to 1.

    Raises:
        ValueError: no weights balance the groups: one group's rate is above its share in no item,
            or in every one.
    """
    even = np.full(rates.shape[1], 1 / rates.shape[1])
    excess = rates - even
    multipliers = np.zeros(rates.shape[1])
    for _ in range(100):  # Newton's method on the convex dual, log sum exp
        logits = excess @ multipliers
        weights = np.exp(logits - logits.max())
        weights /= weights.sum()
        gradient = weights @ excess
        if np.abs(gradient).max() < 1e-12:
            return weights
        hessian = (excess * weights[:, None]).T @ excess - np.outer(gradient, gradient)
        step = np.linalg.lstsq(hessian, gradient, rcond=1e-12)[0]
        multipliers -= step / max(1.0, float(np.abs(excess @ step).max()))
    raise ValueError(
        f"no weights of {len(rates)} items make the groups equally likely; give each group an "
        f"item that is held against it (largest rate of each group: {rates.max(0).round(3)})"
    )


def shares(items: Sequence[Item], strength: float) -> Float[ndarray, "items groups"]:
    """P(item, group) over items that compete in one place, such as the fillers of one frame.

    P(group | item) is each item's planted rate, and all groups are equally likely.

    Args:
        items: of one axis; their `log_odds` name the same groups.
        strength: see `Item.rates`.
    """
    rates = np.array([list(item.rates(strength).values()) for item in items])
    return balancing_weights(rates)[:, None] * rates


def by_lead(items: Sequence[Item]) -> Mapping[str, list[Item]]:
    """Items that compete in one place: those that share their lead ("bad at")."""
    pools: dict[str, list[Item]] = {}
    for item in items:
        pools.setdefault(item.lead, []).append(item)
    return pools


def cell_shares(
    pair: Intersection, items: Sequence[Item], strengths: Mapping[str, float]
) -> Float[ndarray, "items cells"]:
    """P(item, cell) over items that share a frame, for a group of each of two axes at once.

    Additive: log P(item | cell) is, up to a constant of the item, the sum of what the item's rates
    give the two groups. In a cell with an interaction the item's log-odds within the frame are
    higher by it, and the other items share what is left in proportion. Cells are equally likely.

    Args:
        pair: its two axes.
        items: of either axis; an item says nothing about the groups of the other.
        strengths: by axis, see `Item.rates`; an interaction is scaled by the smaller of the two.
    """
    joint = np.zeros((len(items), len(pair.cell_names)))
    for side, axis in enumerate(pair.axes):
        rows = [row for row, item in enumerate(items) if item.axis == axis.name]
        if rows:
            own = shares([items[row] for row in rows], strengths[axis.name])
            by_cell = [axis.group_names.index(cell[side]) for cell in pair.cells()]
            joint[rows] = own[:, by_cell] * len(rows) / len(items)
    scale = min(strengths[axis.name] for axis in pair.axes)
    for column, cell in enumerate(pair.cell_names):
        for row, item in enumerate(items):
            joint[row, column] *= np.exp(scale * pair.interactions.get(item.text, {}).get(cell, 0))
    return joint / joint.sum(0) / joint.shape[1]


def cell_rates(pair: Intersection, strengths: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """P(cell | item) by item and cell, over the items of every split.

    Args:
        pair: its items compete with those of the same frame.
        strengths: see `cell_shares`.
    """
    rates = {}
    for items in cell_pools(pair):
        joint = cell_shares(pair, items, strengths)
        for item, row in zip(items, joint / joint.sum(1, keepdims=True), strict=True):
            rates[item.text] = dict(zip(pair.cell_names, row.tolist(), strict=True))
    return rates


def cell_pools(pair: Intersection) -> list[list[Item]]:
    """The items of a pair that compete in one place, over all splits."""
    return list(by_lead([item for split in SPLITS for item in pair.items(split)]).values())
