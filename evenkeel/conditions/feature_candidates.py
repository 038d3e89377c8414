"""What is tried on the features of an axis, all at once, and on random ones in their place."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from evenkeel.conditions.candidates import Candidate, FitGates, Gating
from evenkeel.errors import BadInputError
from evenkeel.params import Action, GateKind
from evenkeel.sae.dictionary import Dictionary
from evenkeel.vectors.vector import SteeringVector

NEIGHBORS = 10
"""A feature is replaced by one of so many others whose firing frequency is nearest to its own."""


def feature_candidates(
    vectors: Sequence[SteeringVector],
    axis: str,
    dictionary: Dictionary,
    forces: Mapping[Action, Sequence[float]],
    gates: Sequence[GateKind] = ("none",),
    fit_gates: FitGates = lambda *_: Gating(),
) -> list[Candidate]:
    """Every action, gate and force on the latents whose decoder rows are vectors of the axis.

    Args:
        vectors: all there are; those of method sae are used.
        axis: the vectors' axis.
        dictionary: whose latents they are.
        forces: to try, by action (clamp, scale).
        gates: kinds of gate to try; a band is around one direction, and so none for many latents.
        fit_gates: makes them.

    Raises:
        BadInputError: there are none, or they are not of this SAE.
    """
    own = tuple(v for v in vectors if v.axis == axis and v.method == "sae")
    if not own:
        raise BadInputError(
            f"no sae vector for axis {axis!r} among those of models/vectors: no feature goes with "
            "it; list some in vectors.sae.features, or take sae out of evaluation.methods"
        )
    _require_rows(own, dictionary)
    fitted = {kind: (fit_gates(kind, own[0]),) for kind in gates if kind != "band"}
    return [
        Candidate(own, action, float(force), kind, gatings, dictionary)
        for action, tried in forces.items()
        for kind, gatings in fitted.items()
        for force in tried
    ]


def random_feature_candidates(candidate: Candidate, draws: int, seed: int) -> list[Candidate]:
    """The candidate with other features in the place of its own, which fire no less often.

    Args:
        candidate: of latents.
        draws: how many.
        seed: of the draws.

    Raises:
        BadInputError: the SAE has too few features that fire.
    """
    dictionary = candidate.dictionary
    assert dictionary is not None, "a candidate without latents"
    drawn = matched_features(
        dictionary.frequency.numpy(), candidate.features, draws, np.random.default_rng([seed, 4])
    )
    decoder, own = dictionary.sae.decoder.cpu(), candidate.vectors[0]

    def vector(feature: int) -> SteeringVector:
        return SteeringVector.of(
            decoder[feature],
            axis=own.axis,
            method="random_features",
            site=own.site,
            layer=own.layer,
            stream_norm=own.stream_norm,
            feature=feature,
        )

    return [replace(candidate, vectors=tuple(map(vector, features))) for features in drawn]


def matched_features(
    frequency: Float[ndarray, " d_sae"],
    features: Sequence[int],
    draws: int,
    generator: np.random.Generator,
) -> list[tuple[int, ...]]:
    """Random sets of other features that together fire as often as those in whose place they stand.

    For each feature one of the `NEIGHBORS` others is drawn that are nearest to it in the logarithm
    of the frequency, none twice. Where the features are the most frequent of all, and so their
    neighbors less so, further features are drawn until the sums of the frequencies are level.

    Raises:
        BadInputError: all other features together do not fire as often.
    """
    firing = np.setdiff1d(np.flatnonzero(frequency > 1e-9), features)
    total = float(frequency[list(features)].sum())
    if len(firing) <= len(features) or frequency[firing].sum() < total:
        raise BadInputError(
            f"{len(firing)} other features of the SAE ever fire, too few to draw sets from that "
            f"fire as often as {len(features)} features do; train it longer, or list fewer features"
        )
    found = []
    for _ in range(draws):
        left, chosen = firing, []
        for feature in features:
            distance = np.abs(np.log(frequency[left]) - np.log(max(frequency[feature], 1e-9)))
            pick = left[generator.choice(np.argsort(distance, kind="stable")[:NEIGHBORS])]
            chosen.append(int(pick))
            left = left[left != pick]
        while frequency[chosen].sum() < total:
            pick = generator.choice(left)
            chosen.append(int(pick))
            left = left[left != pick]
        found.append(tuple(chosen))
    return found


def _require_rows(vectors: Sequence[SteeringVector], dictionary: Dictionary) -> None:
    """Refuse vectors that are not decoder rows of the SAE."""
    sae = dictionary.sae
    rows = torch.nn.functional.normalize(sae.decoder.cpu().float(), dim=1)
    for vector in vectors:
        assert vector.feature is not None, "a vector of method sae without its feature"
        fits = vector.point == sae.place
        fits = fits and vector.feature < sae.d_sae and len(vector.direction) == sae.d_in
        if not fits or float(rows[vector.feature] @ vector.direction) < 0.999:
            raise BadInputError(
                f"the vector of feature {vector.feature} is no decoder row of the SAE in use; run "
                "compute_vectors again"
            )
