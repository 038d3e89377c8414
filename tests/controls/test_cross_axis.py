"""Vectors of other axes go where the chosen ones went, with the same force."""

from dataclasses import replace

import pytest

from evenkeel.conditions.candidates import Candidate
from evenkeel.controls.transfer import cosines, transferred
from tests.evaluation.samples import make_vectors


def test_each_other_axis_that_has_the_vectors_takes_their_place() -> None:
    own = make_vectors(("caa", "pca"))
    other = [replace(vector, axis="age", direction=-vector.direction) for vector in own]
    partial = [replace(vector, axis="race") for vector in own if vector.layer != 1]
    chosen = Candidate(tuple(own[:3]), "add", 0.3)
    found = transferred(chosen, [*own, *other, *partial])
    assert list(found) == ["age"], "race lacks layer 1"
    assert found["age"].vectors == tuple(other[:3])
    assert (found["age"].action, found["age"].multiplier) == ("add", 0.3)
    assert cosines(chosen, found) == pytest.approx({"age": -1})
    assert list(transferred(replace(chosen, vectors=tuple(own[:1])), [*own, *partial])) == ["race"]
