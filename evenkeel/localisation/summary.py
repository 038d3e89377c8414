"""From what patches moved to effects with intervals, nulls and p."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.localisation.patching import Place
from evenkeel.localisation.result import Agreement, Effect, Localisation
from evenkeel.statistics.bootstrap import ClusterBootstrap, ratio_of_sums
from evenkeel.statistics.estimate import Estimate, rounded
from evenkeel.statistics.significance import sign_flips

ByPair = Float[ndarray, "pairs places"]


@dataclass(frozen=True, eq=False)
class Moves:
    """Log-odds between the two groups of each pair of items, in nats, summed over its runs."""

    gap: Float[ndarray, " pairs"]
    """Of the item put in, less those of the base: all that there is to move."""
    runs: Float[ndarray, " pairs"]
    """How many were summed."""
    opposite: ByPair
    """What activations of the opposite item moved."""
    alike: ByPair
    """The same of an item of the base's own association."""
    first_order: ByPair
    """What activations of the opposite item would move, were the model linear."""


def summarize(
    axis: str, places: Sequence[Place], moves: Moves, frames: int, resamples: int, seed: int
) -> Localisation:
    """Effects as shares of the gap: sums over pairs in both, so that no small gap is divided by.

    Args:
        axis: kind of bias.
        places: those of the columns of `moves`.
        moves: of every pair.
        frames: sets of prompts behind them.
        resamples: of the pairs, and of the signs of their differences.
        seed: of both.
    """
    bootstrap = ClusterBootstrap(len(moves.gap), resamples, seed)
    gap = bootstrap.estimate_additive(ratio_of_sums, moves.gap, moves.runs)
    reportable = gap.low is not None and gap.low > 0
    of_roles = np.array([place.role is not None for place in places])
    effects: list[Effect] = []
    agreement, handover = None, Estimate(None)
    if reportable:
        by_role, by_head = (
            _effects(places, moves, bootstrap, kind, resamples, seed)
            for kind in (of_roles, ~of_roles)
        )
        effects = [*by_role, *by_head]
        agreement = _agreement(moves, bootstrap, of_roles)
        item, last = (
            moves.opposite[:, np.array([place.role == role for place in places])]
            for role in ("item", "last")
        )
        handover = bootstrap.estimate(_handover, item, last)
    record = {
        "axis": axis,
        "pairs": len(moves.gap),
        "runs": int(moves.runs.sum()),
        "frames": frames,
        "reportable": reportable,
        "agreement": agreement,
        "effects": effects,
    }
    return Localisation.model_validate(record | gap.columns("gap") | handover.columns("handover"))


def _effects(
    places: Sequence[Place],
    moves: Moves,
    bootstrap: ClusterBootstrap,
    kind: ndarray,
    resamples: int,
    seed: int,
) -> list[Effect]:
    chosen = np.flatnonzero(kind).tolist()
    # Towards the other item's answer, be that the lexicon's way or not: a few pairs go against it.
    towards = np.sign(moves.gap)[:, None] * (moves.opposite - moves.alike)
    p = sign_flips(towards[:, chosen], resamples, seed)
    found = []
    for number, column in enumerate(chosen):
        effect, null = (
            bootstrap.estimate_additive(ratio_of_sums, table[:, column], moves.gap)
            for table in (moves.opposite, moves.alike)
        )
        record = asdict(places[column]) | effect.columns("effect") | null.columns("null")
        record |= {
            "p": rounded(p[number]),
            "first_order": rounded(moves.first_order[:, column].sum() / moves.gap.sum()),
        }
        found.append(Effect.model_validate(record))
    return found


def _agreement(moves: Moves, bootstrap: ClusterBootstrap, of_roles: ndarray) -> Agreement:
    roles, heads = (
        bootstrap.estimate(_correlation, moves.opposite[:, kind], moves.first_order[:, kind])
        if kind.any()
        else Estimate(None)
        for kind in (of_roles, ~of_roles)
    )
    return Agreement.model_validate(roles.columns("roles") | heads.columns("heads"))


def _correlation(
    exact: Float[ndarray, "... pairs places"], linear: Float[ndarray, "... pairs places"]
) -> Float[ndarray, "..."]:
    """Pearson correlation over places of the means over pairs."""
    x, y = (table.mean(axis=-2) for table in (exact, linear))
    x, y = (values - values.mean(axis=-1, keepdims=True) for values in (x, y))
    scale = np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
    return (x * y).sum(axis=-1) / np.where(scale > 0, scale, np.nan)


def _handover(
    item: Float[ndarray, "... pairs layers"], last: Float[ndarray, "... pairs layers"]
) -> Float[ndarray, "..."]:
    """First layer from which on the last token moves more than the item does."""
    ahead = last.mean(axis=-2) > item.mean(axis=-2)
    stays = np.logical_and.accumulate(ahead[..., ::-1], axis=-1)[..., ::-1]
    return np.where(stays.any(axis=-1), stays.argmax(axis=-1), np.nan)
