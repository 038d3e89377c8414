"""One direction from many matched differences."""

import numpy as np
from jaxtyping import Float

Differences = Float[np.ndarray, "units d_model"]
Direction = Float[np.ndarray, " d_model"]


def mean_difference(differences: Differences) -> Direction:
    """Mean over units. Of neutral - biased pairs this is contrastive activation addition
    (Rimsky et al. 2024, "Steering Llama 2 via Contrastive Activation Addition"), not normalized.
    """
    return differences.mean(axis=0)


def principal_difference(differences: Differences) -> Direction:
    """First principal component of the differences and their negatives, in the mean's sense.

    Taking both signs is centring each unit on its own middle (Bolukbasi et al. 2016, "Man is to
    Computer Programmer as Woman is to Homemaker?"; the reading vectors of Zou et al. 2023,
    "Representation Engineering"): the mean difference is signal here, not an offset to remove.
    The sign of a component is arbitrary; this one has a non-negative product with the mean.

    Returns:
        The unit component times the root mean square of the differences along it.
    """
    _, values, components = np.linalg.svd(differences, full_matrices=False)
    scaled = components[0] * values[0] / np.sqrt(len(differences))
    return scaled if scaled @ differences.mean(axis=0) >= 0 else -scaled


def cosine(left: Direction, right: Direction) -> float:
    """Cosine of the angle between two directions that are not zero."""
    left, right = left.astype(np.float64), right.astype(np.float64)
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
