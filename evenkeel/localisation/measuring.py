"""How much of the answer each place carries from the item, over all pairs of one axis."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from evenkeel.datasets.records import Prompt
from evenkeel.localisation.frames import Frame, make_frames
from evenkeel.localisation.patching import FramePatching, Place, places_of
from evenkeel.localisation.result import Localisation
from evenkeel.localisation.summary import Moves, summarize
from evenkeel.models.loading import LoadedModel
from evenkeel.params import LocalisationParams
from evenkeel.progress import Progress

log = logging.getLogger(__name__)


def localise(
    loaded: LoadedModel,
    axis: str,
    prompts: Sequence[Prompt],
    params: LocalisationParams,
    seed: int,
) -> Localisation:
    """Patch every layer and position role, and every head, and say what that moved.

    Args:
        loaded: the model.
        axis: kind of bias.
        prompts: of that axis, with its splits.
        params: how many pairs and templates.
        seed: of the draws.

    Raises:
        BadInputError: as of `make_frames`, or a prompt is too long for the model.
    """
    frames = make_frames(loaded.encoder, prompts, params.pairs, params.templates, seed)
    if not frames:
        log.warning(
            "%s: no two stereotypical items of the train and validation splits can be compared, "
            "which takes two held against one group and two against another, in the same "
            "templates, behind the same lead-ins, with equally many tokens; nothing is localised",
            axis,
        )
        return Localisation.of_nothing(axis)
    places = [
        place
        for place in places_of(loaded.model)
        if place.role != "between" or any(map(_has_between, frames))
    ]
    passes = Progress(total=2 * len(places) * len(frames), desc=f"{axis}: patches", unit="patch")
    with passes as progress:
        moves = _summed([_moves(loaded, frame, places, progress) for frame in frames], frames)
    return summarize(axis, places, moves, len(frames), params.resamples, seed)


def _has_between(frame: Frame) -> bool:
    return frame.length - frame.item.stop > 1


def _moves(
    loaded: LoadedModel, frame: Frame, places: Sequence[Place], progress: Progress
) -> list[Float[ndarray, "..."]]:
    """Of one frame, the four tables of `Moves`, a row a base: the first has no columns."""
    patching = FramePatching(loaded.model, frame)
    scores = patching.scores.cpu()
    opposite = np.arange(len(frame.prompts))
    opposite[frame.base] = frame.opposite
    moved, null = [], []
    for place in places:
        change = patching.exact(place, opposite).cpu() - scores
        moved.append(_log_odds(frame, change.double().numpy()[frame.base]))
        alike = patching.exact(place, frame.alike).cpu() - scores
        null.append(_log_odds(frame, _ring_means(frame, alike.double().numpy())[frame.base]))
        progress.update(2)
    weights = torch.zeros_like(scores)
    weights[frame.base, frame.toward], weights[frame.base, frame.away] = 1, -1
    linear = patching.first_order(places, opposite, weights)[:, frame.base]
    answers = scores.double().numpy()
    gap = _log_odds(frame, answers[frame.opposite] - answers[frame.base])
    return [gap, np.stack(moved, axis=1), np.stack(null, axis=1), linear.double().numpy().T]


def _log_odds(frame: Frame, scores: Float[ndarray, "bases groups"]) -> Float[ndarray, " bases"]:
    """Of the opposite item's group against that of the base."""
    rows = np.arange(len(scores))
    found: Float[ndarray, " bases"] = scores[rows, frame.toward] - scores[rows, frame.away]
    return found


def _ring_means(
    frame: Frame, changes: Float[ndarray, "prompts groups"]
) -> Float[ndarray, "prompts groups"]:
    """What prompts of one ring do to one another, on average.

    How items of one group differ among themselves cancels: each is put in, and replaced, once.
    """
    sums = np.zeros_like(changes)
    np.add.at(sums, frame.ring, changes)
    means: Float[ndarray, "prompts groups"] = (
        sums[frame.ring] / np.bincount(frame.ring)[frame.ring][:, None]
    )
    return means


def _summed(of_frames: Sequence[list[ndarray]], frames: Sequence[Frame]) -> Moves:
    pair = np.concatenate([frame.pair for frame in frames])
    tables = [np.concatenate(tables) for tables in zip(*of_frames, strict=True)]
    pairs = int(pair.max()) + 1

    def by_pair(table: ndarray) -> ndarray:
        sums = np.zeros((pairs, *table.shape[1:]))
        np.add.at(sums, pair, table)
        return sums

    gap, opposite, alike, first_order = map(by_pair, tables)
    return Moves(gap, np.bincount(pair).astype(float), opposite, alike, first_order)
