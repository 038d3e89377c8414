"""Activation addition: what one text does to the stream and its opposite does not."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from evenkeel.activations.capture import capture_texts
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint


def text_differences(
    loaded: LoadedModel, points: Sequence[HookPoint], positive: str, negative: str
) -> dict[HookPoint, Float[np.ndarray, " d_model"]]:
    """Activation of `positive` - of `negative`, each at its last token, at each site and layer.

    Turner et al. 2023, "Activation Addition: Steering Language Models Without Optimization".

    Raises:
        BadInputError: a text is empty or too long, or the model lacks a site or layer.
    """
    differences: dict[HookPoint, Float[np.ndarray, " d_model"]] = {}
    for site in sorted({point.site for point in points}):
        layers = [point.layer for point in points if point.site == site]
        found = capture_texts(loaded, [positive, negative], [site], layers, "last")
        differences |= {point: rows[0] - rows[1] for point, rows in found.items()}
    return differences
