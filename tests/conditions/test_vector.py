"""Every vector at every place with every force, and what is done with it."""

import pytest
import torch

from evenkeel.conditions.candidates import Gating, make_candidates
from evenkeel.errors import BadInputError
from evenkeel.params import Action
from evenkeel.steering.gates import ProbeGate
from evenkeel.steering.intervention import Ablate, Add
from evenkeel.vectors.vector import SteeringVector
from tests.evaluation.samples import make_vectors


def test_the_whole_grid_in_a_fixed_order() -> None:
    found = make_candidates(
        make_vectors(("caa", "pca")), "gender", ["pca", "caa"], "all",
        {"add": [-1.0, 1.0], "ablate": [0.5]},
    )  # fmt: skip
    grid = [(c.method, c.layer, c.action, c.multiplier) for c in found]
    assert grid == [
        (method, layer, action, multiplier)
        for method in ("pca", "caa")
        for layer in (0, 1, 2, "all")
        for action, multiplier in (("add", -1.0), ("add", 1.0), ("ablate", 0.5))
    ]


def test_force_of_an_added_vector_is_relative_to_the_stream() -> None:
    vectors = make_vectors()
    (candidate,) = make_candidates(vectors, "gender", ["caa"], [1], {"add": [-0.5]})
    (add,) = candidate.interventions
    assert isinstance(add, Add)
    stream = torch.zeros(1, 1, 32)
    torch.testing.assert_close(
        add(stream)[0, 0], -0.5 * vectors[1].stream_norm * vectors[1].direction
    )
    assert (add.layer, add.site) == (1, "resid_post")


def test_ablation_takes_out_its_share_at_every_layer() -> None:
    vectors = make_vectors()
    candidate = make_candidates(vectors, "gender", ["caa"], "all", {"ablate": [0.25]})[-1]
    assert [edit.layer for edit in candidate.interventions] == [0, 1, 2]
    for edit, vector in zip(candidate.interventions, vectors, strict=True):
        assert isinstance(edit, Ablate)
        stream = torch.randn(1, 5, 32)
        torch.testing.assert_close(
            vector.project(edit(stream)), 0.75 * vector.project(stream), atol=1e-5, rtol=1e-4
        )


def test_each_ablation_is_tried_with_each_gate_of_its_own_vectors() -> None:
    fitted = []

    def fit_gates(kind: str, vector: SteeringVector) -> Gating:
        if kind == "none":
            return Gating()
        fitted.append((kind, vector.layer))
        return Gating((ProbeGate(vector.direction, bias=vector.layer),), 3 * vector.direction)

    forces: dict[Action, list[float]] = {"add": [0.5], "ablate": [1.0], "mean_ablate": [1.0]}
    found = make_candidates(
        make_vectors(), "gender", ["caa"], "all", forces, ["none", "probe"], fit_gates
    )
    assert [(candidate.name, candidate.gate) for candidate in found[:4]] == [
        ("caa_add", "none"), ("caa_ablate", "none"), ("caa_ablate_probe", "probe"),
        ("caa_mean_ablate_probe", "probe"),
    ]  # fmt: skip
    assert fitted == [("probe", 0), ("probe", 1), ("probe", 2)], "once, not again for all layers"
    for candidate in found:
        biases = [gate.bias for edit in candidate.interventions for gate in edit.gates]
        layers = [edit.layer for edit in candidate.interventions]
        assert biases == (layers if candidate.gate == "probe" else [])
    stream = torch.randn(1, 5, 32)
    for vector, edit in zip(make_vectors(), found[-1].interventions, strict=True):
        torch.testing.assert_close(vector.project(edit(stream)), torch.full((1, 5), 3.0))


def test_one_layer_is_not_tried_twice() -> None:
    found = make_candidates(make_vectors(layers=1), "gender", ["caa"], "all", {"ablate": [1.0]})
    assert [candidate.layer for candidate in found] == [0]


def test_missing_vectors_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"no pca vector for axis 'gender'.*caa of gender"):
        make_candidates(make_vectors(), "gender", ["pca"], "all", {"ablate": [1.0]})
    with pytest.raises(BadInputError, match=r"names layer 7.*layers \[0, 1, 2\]"):
        make_candidates(make_vectors(), "gender", ["caa"], [0, 7], {"ablate": [1.0]})
