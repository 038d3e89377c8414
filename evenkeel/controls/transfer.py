"""Does a vector of another kind of bias do the same? Then it is not this bias that was found."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evenkeel.conditions.candidates import Candidate
from evenkeel.vectors.vector import SteeringVector


def transferred(candidate: Candidate, vectors: Sequence[SteeringVector]) -> dict[str, Candidate]:
    """The candidate with the vectors of each other axis in the place of its own, by axis.

    Method, place, action and force are the candidate's. An axis that lacks a vector at one of its
    places is left out.

    Args:
        candidate: what was chosen.
        vectors: all there are.
    """
    by_key = {vector.key: vector for vector in vectors}
    own = candidate.vectors[0].axis
    found = {}
    for axis in sorted({vector.axis for vector in vectors} - {own}):
        keys = [(axis, vector.method, vector.site, vector.layer) for vector in candidate.vectors]
        if all(key in by_key for key in keys):
            found[axis] = replace(candidate, vectors=tuple(by_key[key] for key in keys))
    return found


def cosines(candidate: Candidate, others: Mapping[str, Candidate]) -> dict[str, float]:
    """Cosine of each other candidate's vectors with the candidate's, the mean over layers."""
    return {
        name: sum(
            float(one.direction @ two.direction)
            for one, two in zip(candidate.vectors, other.vectors, strict=True)
        )
        / len(candidate.vectors)
        for name, other in others.items()
    }
