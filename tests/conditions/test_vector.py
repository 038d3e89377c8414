"""Every vector at every place with every force, and what is done with it."""

from dataclasses import replace

import pytest
import torch

from evenkeel.conditions.vector import Gating, Vectors, make_vector_conditions
from evenkeel.errors import BadInputError
from evenkeel.params import Action
from evenkeel.steering.gates import ProbeGate
from evenkeel.steering.intervention import Ablate, Add
from tests.evaluation.samples import make_vectors


def test_the_whole_grid_in_a_fixed_order() -> None:
    found = make_vector_conditions(
        make_vectors(("caa", "pca")), "gender", ["pca", "caa"], "all",
        {"add": [-1.0, 1.0], "ablate": [0.5]},
    )  # fmt: skip
    grid = [(c.recipe.method, c.recipe.layer, c.action, c.multiplier) for c in found]
    assert grid == [
        (method, layer, action, multiplier)
        for method in ("pca", "caa")
        for layer in (0, 1, 2, "all")
        for action, multiplier in (("add", -1.0), ("add", 1.0), ("ablate", 0.5))
    ]


def test_the_multiplier_of_an_added_vector_is_relative_to_the_residual_stream() -> None:
    vectors = make_vectors()
    (condition,) = make_vector_conditions(vectors, "gender", ["caa"], [1], {"add": [-0.5]})
    (add,) = condition.interventions
    assert isinstance(add, Add)
    stream = torch.zeros(1, 1, 32)
    torch.testing.assert_close(
        add(stream)[0, 0], -0.5 * vectors[1].stream_norm * vectors[1].direction
    )
    assert (add.layer, add.site) == (1, "resid_post")


def test_ablation_takes_out_its_share_at_every_layer() -> None:
    vectors = make_vectors()
    condition = make_vector_conditions(vectors, "gender", ["caa"], "all", {"ablate": [0.25]})[-1]
    assert [edit.layer for edit in condition.interventions] == [0, 1, 2]
    for edit, vector in zip(condition.interventions, vectors, strict=True):
        assert isinstance(edit, Ablate)
        stream = torch.randn(1, 5, 32)
        torch.testing.assert_close(
            vector.project(edit(stream)), 0.75 * vector.project(stream), atol=1e-5, rtol=1e-4
        )


def test_each_ablation_is_tried_with_each_gate_of_its_own_vectors() -> None:
    fitted = []

    def fit_gates(kind: str, vectors: Vectors) -> Gating:
        if kind == "none":
            return Gating()
        (vector,) = vectors
        fitted.append((kind, vector.layer))
        return Gating((ProbeGate(vector.direction, bias=vector.layer),), 3 * vector.direction)

    forces: dict[Action, list[float]] = {"add": [0.5], "ablate": [1.0], "mean_ablate": [1.0]}
    found = make_vector_conditions(
        make_vectors(), "gender", ["caa"], "all", forces, ["none", "probe"], fit_gates
    )
    assert [(condition.name, condition.gate) for condition in found[:4]] == [
        ("caa_add", "none"), ("caa_ablate", "none"), ("caa_ablate_probe", "probe"),
        ("caa_mean_ablate_probe", "probe"),
    ]  # fmt: skip
    assert fitted == [("probe", 0), ("probe", 1), ("probe", 2)], "once, not again for all layers"
    for condition in found:
        biases = [gate.bias for edit in condition.interventions for gate in edit.gates]
        layers = [edit.layer for edit in condition.interventions]
        assert biases == (layers if condition.gate == "probe" else [])
    stream = torch.randn(1, 5, 32)
    for vector, edit in zip(make_vectors(), found[-1].interventions, strict=True):
        torch.testing.assert_close(vector.project(edit(stream)), torch.full((1, 5), 3.0))


def test_beside_several_layers_all_that_have_a_vector_are_tried_at_once() -> None:
    for layers, places in (([0, 2], [(0,), (2,), (0, 1, 2)]), ([1], [(1,)])):
        found = make_vector_conditions(make_vectors(), "gender", ["caa"], layers, {"ablate": [1.0]})
        edited = [tuple(edit.layer for edit in each.interventions) for each in found]
        assert edited == places


def test_one_layer_is_not_tried_twice() -> None:
    found = make_vector_conditions(
        make_vectors(layers=1), "gender", ["caa"], "all", {"ablate": [1.0]}
    )
    assert [condition.recipe.layer for condition in found] == [0]


def test_vectors_that_were_trained_are_tried_where_they_are() -> None:
    vectors = [*make_vectors(), *make_vectors(("bipo",), layers=2)]
    found = make_vector_conditions(vectors, "gender", ["caa", "bipo"], [2], {"add": [0.5]})
    assert [(c.recipe.method, c.recipe.layer) for c in found] == [
        ("caa", 2),
        ("bipo", 0),
        ("bipo", 1),
        ("bipo", "all"),
    ]


def test_missing_vectors_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"no pca vector for axis 'gender'.*caa of gender"):
        make_vector_conditions(make_vectors(), "gender", ["pca"], "all", {"ablate": [1.0]})
    with pytest.raises(BadInputError, match=r"names layer 7.*layers \[0, 1, 2\]"):
        make_vector_conditions(make_vectors(), "gender", ["caa"], [0, 7], {"ablate": [1.0]})


def test_of_four_groups_all_differences_are_taken_out_and_none_is_added() -> None:
    differences = torch.randn(4, 32)
    differences -= differences.mean(dim=0)
    vectors = [
        replace(vector, group=group, direction=torch.nn.functional.normalize(row, dim=0))
        for vector in make_vectors(layers=2)
        for group, row in zip("abcd", differences, strict=True)
    ]
    found = make_vector_conditions(
        vectors, "gender", ["caa"], "all", {"add": [0.5], "ablate": [1.0]}
    )
    assert [(c.action, c.recipe.layer) for c in found] == [
        ("ablate", 0), ("ablate", 1), ("ablate", "all")
    ]  # fmt: skip
    (edit,) = found[0].interventions
    stream = torch.randn(1, 5, 32)
    for row in differences:
        along = edit(stream)[0] @ row
        torch.testing.assert_close(along, torch.zeros(5), atol=1e-4, rtol=0)
    banded = make_vector_conditions(
        vectors, "gender", ["caa"], [0], {"ablate": [1.0]}, ["none", "band"]
    )
    assert [condition.gate for condition in banded] == ["none"], "a band is around one direction"
