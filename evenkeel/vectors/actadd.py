"""Activation addition: what one text does to the stream and its opposite does not."""

import numpy as np
from jaxtyping import Float

from evenkeel.activations.capture import capture_texts
from evenkeel.activations.store import ActivationStore
from evenkeel.models.loading import LoadedModel

Point = tuple[str, int]


def text_differences(
    loaded: LoadedModel, store: ActivationStore, positive: str, negative: str
) -> dict[Point, Float[np.ndarray, " d_model"]]:
    """Activation of `positive` - of `negative`, each at its last token, where `store` has any.

    Turner et al. 2023, "Activation Addition: Steering Language Models Without Optimization".

    Raises:
        BadInputError: the store is of another model, or a text is empty or too long for it.
    """
    store.require_model(loaded.fingerprint)
    differences: dict[Point, Float[np.ndarray, " d_model"]] = {}
    for site in store.sites:
        found = capture_texts(loaded, [positive, negative], [site], store.layers(site), "last")
        differences |= {point: rows[0] - rows[1] for point, rows in found.items()}
    return differences
