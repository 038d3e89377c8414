"""Activation addition: what one text does to the stream and its opposite does not."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from evenkeel.activations.capture import capture_texts
from evenkeel.axes import AXES
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import ActAddParams

LEAD = "They said that it was"
"""Stands before the words of a group, which would otherwise be at the attention sink."""


def text_pairs(params: ActAddParams, axes: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The positive and the negative text of each axis: those named, or its groups' own words.

    Raises:
        BadInputError: an axis is none of ours, and no pair is named for it.
    """
    named = {str(axis): pair for axis, pair in (params.pairs or {}).items()}
    pairs: dict[str, tuple[str, str]] = {}
    for axis in axes:
        if axis in named:
            pairs[axis] = (named[axis].positive, named[axis].negative)
        elif axis in AXES:
            first, second = (f"{LEAD}{group.continuations[0]}" for group in AXES[axis].groups[:2])
            pairs[axis] = (first, second)
        else:
            raise BadInputError(
                f"vectors.actadd.pairs names no texts for axis {axis!r}, and it has no groups of "
                "ours; name two, or take actadd out of vectors.methods"
            )
    return pairs


def axis_differences(
    loaded: LoadedModel, points: Sequence[HookPoint], pairs: Mapping[str, tuple[str, str]]
) -> dict[str, dict[HookPoint, Float[np.ndarray, " d_model"]]]:
    """`text_differences` of each axis.

    Raises:
        BadInputError: as of `text_differences`.
    """
    return {axis: text_differences(loaded, points, *pair) for axis, pair in pairs.items()}


def text_differences(
    loaded: LoadedModel, points: Sequence[HookPoint], positive: str, negative: str
) -> dict[HookPoint, Float[np.ndarray, " d_model"]]:
    """Activation of `positive` - of `negative`, each at its last token, at each site and layer.

    Turner et al. 2023, "Activation Addition: Steering Language Models Without Optimization".

    Raises:
        BadInputError: a text is empty, too long or nothing but an attention sink, or the model
            lacks a site or layer.
    """
    differences: dict[HookPoint, Float[np.ndarray, " d_model"]] = {}
    for site in sorted({point.site for point in points}):
        layers = [point.layer for point in points if point.site == site]
        found = capture_texts(loaded, [positive, negative], [site], layers, "last")
        differences |= {point: rows[0] - rows[1] for point, rows in found.items()}
    return differences
