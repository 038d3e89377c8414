"""What ablating the features of an axis does, among random sets that fire as often.

This asks what the features cause, whatever it costs; so the bias is told of models, too, that no
longer know who is a woman by definition. What it costs stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evenkeel.conditions.candidates import Candidate
from evenkeel.conditions.feature_candidates import feature_candidates, random_feature_candidates
from evenkeel.controls.nulls import distribution, rank_p
from evenkeel.evaluation.trial import Trial
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.sae.dictionary import Dictionary
from evenkeel.selection.sweep import Cell, sweep
from evenkeel.statistics.estimate import rounded
from evenkeel.vectors.vector import SteeringVector

SHOWN = ("occupation_spread", "bias_reduction", "definitional_accuracy_change", "perplexity_ratio")


@dataclass(frozen=True, eq=False)
class FeatureAblation:
    """The features of the axis held at 0, and random sets in their place, on the test panel."""

    selected: Cell
    random: Sequence[Cell]

    @property
    def p(self) -> float | None:
        """Chance, were the features one more random set, of at least their bias reduction."""
        return rank_p(self.selected.value("bias_reduction"), _drawn(self.random, "bias_reduction"))

    @property
    def metrics(self) -> dict[str, Any]:
        candidate = self.selected.candidate
        own: dict[str, Any] = {
            "site": candidate.site,
            "layer": candidate.layer,
            "features": list(candidate.features),
            "firings_per_token": rounded(_firings(candidate)),
        }
        for name in SHOWN:
            own |= self.selected.measures[name].columns(name)
        firings = [_firings(cell.candidate) for cell in self.random]
        return own | {
            "p": rounded(self.p),
            "random": {
                "draws": len(self.random),
                "firings_per_token": rounded(float(np.mean(firings))),
                **{name: distribution(_drawn(self.random, name)) for name in SHOWN},
            },
        }

    def __str__(self) -> str:
        """One line for people."""
        features = ", ".join(map(str, self.selected.candidate.features))
        own, p = self.selected.value("bias_reduction"), self.p
        if own is None or p is None:
            return f"features {features} ablated: bias reduction unknown"
        most = _drawn(self.random, "bias_reduction").max()
        return (
            f"features {features} ablated: bias reduction {own:.3g} on test, at most {most:.3g} by "
            f"{len(self.random)} random sets that fire as often (p = {p:.3g})"
        )


def ablate_features(
    trial: Trial,
    vectors: Sequence[SteeringVector],
    axis: str,
    dictionary: Dictionary,
    draws: int,
    seed: int,
) -> FeatureAblation:
    """Clamp the features of the axis to 0 on test, and `draws` random sets.

    Args:
        trial: on test.
        vectors: all there are; those of method sae say which features.
        axis: whose features.
        dictionary: whose latents they are.
        draws: random sets.
        seed: of the draws.

    Raises:
        BadInputError: as of `feature_candidates` and `random_feature_candidates`.
    """
    (own,) = feature_candidates(vectors, axis, dictionary, {"clamp": [0.0]})
    tried = [own, *random_feature_candidates(own, draws, seed)]
    anything = CompetenceGate(trial.gate.chance, margin=-1.0)
    selected, *random = sweep(
        trial.model,
        tried,
        trial.measures,
        anything,
        trial.batch_size,
        "features",
        journal=trial.journal,
    )
    return FeatureAblation(selected, random)


def _drawn(cells: Sequence[Cell], name: str) -> np.ndarray:
    return np.array([cell.value(name) for cell in cells], dtype=float)


def _firings(candidate: Candidate) -> float:
    assert candidate.dictionary is not None
    return float(candidate.dictionary.frequency[list(candidate.features)].sum())
