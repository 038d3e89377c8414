"""What ablating the features of an axis does, among random sets that fire as often.

This is about what the features cause, whatever it costs; so the bias is reported of models, too,
that no longer know what is so by definition. What it costs stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evenkeel.conditions.latents import (
    LatentsCondition,
    make_latents_conditions,
    random_latents,
)
from evenkeel.controls.nulls import rank_p
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.sae.dictionary import Dictionary
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.evaluator import Evaluator
from evenkeel.vectors.vector import SteeringVector

SHOWN = ("item_spread", "bias_reduction", "definitional_accuracy_change", "perplexity_ratio")


@dataclass(frozen=True, eq=False)
class FeatureAblation:
    """The features of the axis held at 0, and random sets in their place, on the test set."""

    condition: LatentsCondition
    selected: Candidate
    random_conditions: Sequence[LatentsCondition]
    random: Sequence[Candidate]

    @property
    def p(self) -> float | None:
        """Chance, were the features one more random set, of at least their bias reduction."""
        return rank_p(self.selected.value("bias_reduction"), self.drawn("bias_reduction"))

    def drawn(self, name: str) -> np.ndarray:
        """A metric of each random set; NaN where it is unknown."""
        return np.array([candidate.value(name) for candidate in self.random], dtype=float)

    def __str__(self) -> str:
        """One line for people."""
        features = ", ".join(map(str, self.condition.features))
        reduction, p = self.selected.value("bias_reduction"), self.p
        if reduction is None or p is None:
            return f"features {features} ablated: bias reduction unknown"
        most = self.drawn("bias_reduction").max()
        return (
            f"features {features} ablated: bias reduction {reduction:.3g} on test, at most "
            f"{most:.3g} by {len(self.random)} random sets that fire as often (p = {p:.3g})"
        )


def ablate_features(
    test: Evaluator,
    vectors: Sequence[SteeringVector],
    axis: str,
    dictionary: Dictionary,
    draws: int,
    seed: int,
) -> FeatureAblation | None:
    """Clamp the features of the axis to 0 on test, and `draws` random sets; None if it has none.

    Args:
        test: the test set.
        vectors: all there are; those of method sae say which features.
        axis: whose features.
        dictionary: whose latents they are.
        draws: random sets.
        seed: of the draws.

    Raises:
        BadInputError: as of `make_latents_conditions` and `random_latents`.
    """
    if not any(vector.axis == axis and vector.method == "sae" for vector in vectors):
        return None
    (condition,) = make_latents_conditions(vectors, axis, dictionary, {"clamp": [0.0]})
    random = random_latents(condition, draws, seed)
    anything = test.with_gate(CompetenceGate(margin=-1.0))
    (selected,) = anything.compare([condition], "features", intervals="all")
    others = anything.compare(random, "random features", intervals="none")
    return FeatureAblation(condition, selected, random, others)
