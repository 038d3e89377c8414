"""What vectors do, made in one place."""

from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.steering.from_vector import interventions_of
from evenkeel.steering.gates import TokenGate
from evenkeel.steering.intervention import Ablate
from evenkeel.vectors.vector import SteeringVector


def vector(layer: int = 2, **changes: Any) -> SteeringVector:
    fields = {"axis": "gender", "method": "caa", "site": "mlp_out", "stream_norm": 7.0}
    return SteeringVector.of(torch.randn(8), layer=layer, **{**fields, **changes})


@pytest.mark.parametrize(("relative", "length"), [(True, 3.5), (False, 0.5)])
def test_a_relative_multiplier_counts_in_mean_norms_of_the_stream(
    relative: bool, length: float
) -> None:
    one, gates = vector(), (TokenGate((1,)),)
    (add,) = interventions_of(one, "add", -0.5, relative=relative, positions="last", gates=gates)
    assert (add.layer, add.site, add.positions, add.gates) == (2, "mlp_out", "last", gates)
    moved = add(torch.zeros(1, 1, 8)).squeeze()
    torch.testing.assert_close(moved, -length * one.direction)


def test_several_vectors_are_added_one_by_one_and_ablated_together() -> None:
    two = [vector(), vector()]
    assert len(interventions_of(two, "add")) == 2
    (away,) = interventions_of(two, "ablate")
    assert isinstance(away, Ablate)
    left = away(torch.randn(1, 4, 8))
    assert max(float((left @ one.direction).abs().max()) for one in two) < 1e-5


def test_the_projection_of_a_midpoint_takes_the_place_of_ones_own() -> None:
    one, midpoint = vector(), torch.randn(8)
    (moved,) = interventions_of(one, "mean_ablate", midpoint=midpoint)
    stream = moved(torch.randn(1, 4, 8))
    expected = (midpoint @ one.direction).expand(1, 4)
    torch.testing.assert_close(stream @ one.direction, expected)


def test_attention_sinks_are_treated_as_when_the_vector_was_made() -> None:
    assert interventions_of(vector(), "ablate")[0].sinks == "exclude"
    assert interventions_of(vector(sinks="include"), "ablate")[0].sinks == "include"
    assert interventions_of(vector(), "ablate", sinks="include")[0].sinks == "include"


def test_what_no_vector_does_is_refused() -> None:
    with pytest.raises(BadInputError, match="0 vectors of 0 hook points"):
        interventions_of([], "add")
    with pytest.raises(BadInputError, match="2 vectors of 2 hook points"):
        interventions_of([vector(), vector(3)], "ablate")
    with pytest.raises(BadInputError, match="action 'clamp' cannot be done with a vector; known"):
        interventions_of(vector(), "clamp")
    with pytest.raises(BadInputError, match="mean_ablate needs the midpoint"):
        interventions_of(vector(), "mean_ablate")
