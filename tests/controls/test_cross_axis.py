"""Vectors of other axes go where the chosen ones went, with the same multiplier."""

from dataclasses import replace

import pytest
import torch

from evenkeel.conditions.vector import Gating, VectorCondition
from evenkeel.controls.cross_axis import alignment, in_place_of
from evenkeel.steering.erasure import MeanAblate
from evenkeel.steering.gates import ProbeGate
from evenkeel.steering.intervention import Ablate, Add
from tests.evaluation.samples import make_vectors


def test_the_other_axis_takes_the_place_where_it_has_the_vectors() -> None:
    vectors = make_vectors(layers=3)
    chosen = VectorCondition(tuple((vector,) for vector in vectors), "add", 0.3).interventions
    other = [replace(vector, axis="age", direction=-vector.direction) for vector in vectors]
    found = in_place_of(chosen, other)
    assert found is not None
    for edit, null, vector in zip(chosen, found, other, strict=True):
        assert isinstance(edit, Add)
        assert isinstance(null, Add)
        assert torch.equal(null.direction, vector.direction)
        assert (null.scale, null.point) == (edit.scale, edit.point)
    assert alignment(chosen, found) == pytest.approx(-1)
    assert in_place_of(chosen, other[:2]) is None, "layer 2 is missing"


def test_gates_and_midpoint_stay_and_four_groups_span_three_directions() -> None:
    (vector,) = make_vectors(layers=1)
    gate = ProbeGate(torch.ones(32), 0.0)
    gating = Gating((gate,), torch.ones(32))
    chosen = VectorCondition(((vector,),), "mean_ablate", 1.1, "probe", (gating,)).interventions
    four = [
        replace(vector, group=group, direction=torch.nn.functional.normalize(row, dim=0))
        for group, row in zip("abcd", torch.randn(4, 32), strict=True)
    ]
    found = in_place_of(chosen, four)
    assert found is not None
    (edit,) = found
    assert isinstance(edit, MeanAblate)
    assert edit.directions.shape == (3, 32)
    assert (edit.gates, edit.multiplier) == ((gate,), 1.1)
    added = VectorCondition(((vector,),), "add", 0.5).interventions
    assert in_place_of(added, four) is None, "each of several would favour a group"


def test_subspaces_are_as_near_as_their_smallest_angle() -> None:
    basis = torch.eye(32)
    first = [Ablate(basis[:2], layer=0, site="resid_post")]
    near = [Ablate(torch.stack([basis[1], basis[5]]), layer=0, site="resid_post")]
    far = [Ablate(basis[7:9], layer=0, site="resid_post")]
    assert alignment(first, near) == pytest.approx(1)
    assert alignment(first, far) == pytest.approx(0, abs=1e-9)
