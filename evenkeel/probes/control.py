"""The control task: could the probe have learned any labels at all?"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool


def control_labels(
    attributes: Sequence[str], generator: np.random.Generator
) -> Bool[np.ndarray, " rows"]:
    """A random label for each attribute, the same wherever it occurs; half of them are positive.

    The attribute decides whether a statement is biased, so it is the word type of Hewitt & Liang
    2019, "Designing and Interpreting Probes with Control Tasks". The order of rows does not matter.

    Args:
        attributes: the attribute of each statement.
        generator: source of the labels.
    """
    names, codes = np.unique(np.asarray(attributes), return_inverse=True)
    # Shuffled halves, not coin flips: with few attributes all flips could fall the same way.
    halves = np.arange(len(names)) % 2 == generator.integers(2)
    return generator.permutation(halves)[codes]
