"""Null directions have the place, force and norm of the chosen one, and nothing of its meaning."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from evenkeel.activations.store import ActivationStore
from evenkeel.conditions.candidates import Candidate
from evenkeel.controls.nulls import distribution, null_candidates, rank_p, streams_behind
from evenkeel.models.loading import load_model, record_provenance
from evenkeel.models.sites import HookPoint
from evenkeel.steering.intervention import Add
from evenkeel.vectors.contrasts import Contrast
from evenkeel.vectors.directions import mean_difference
from evenkeel.vectors.group_term import group_term_streams
from tests.evaluation.samples import make_vectors
from tests.probes.planted import FakeStore, planted_activations, planted_statements

STATEMENTS = planted_statements()
X = planted_activations(STATEMENTS, width=32)


STREAMS = {HookPoint("resid_post", n): X for n in range(3)}


def chosen(method: str = "caa", layers: int = 3) -> Candidate:
    return Candidate(tuple(make_vectors((method,), layers)), "add", 0.5)


def cosines(candidate: Candidate, other: Candidate) -> list[float]:
    pairs = zip(candidate.vectors, other.vectors, strict=True)
    return [float(one.direction @ two.direction) for one, two in pairs]


def test_force_and_place_are_the_chosen_ones() -> None:
    candidate = chosen()
    found = null_candidates(candidate, STATEMENTS, STREAMS, 4, seed=0)
    assert {kind: len(draws) for kind, draws in found.items()} == {
        "random": 4, "orthogonal": 4, "shuffled": 4
    }  # fmt: skip
    for draws in found.values():
        for draw in draws:
            for own, null in zip(candidate.interventions, draw.interventions, strict=True):
                assert isinstance(own, Add)
                assert isinstance(null, Add)
                assert (own.layer, own.site, own.scale) == (null.layer, null.site, null.scale)
                assert float(null.direction.norm()) == pytest.approx(1, abs=1e-5)
        assert abs(cosines(draws[0], draws[1])[0]) < 0.99, "draws differ"


def test_orthogonal_ones_are() -> None:
    for draw in null_candidates(chosen(), STATEMENTS, STREAMS, 5, seed=0)["orthogonal"]:
        assert cosines(chosen(), draw) == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.parametrize(("method", "dimension"), [("caa", 0), ("group", 1)])
def test_shuffling_hides_what_the_labels_tell(method: str, dimension: int) -> None:
    """The label lies along dimension 0, the group along 1: true vectors point there, shuffled ones
    only as far as chance takes them."""
    draws = null_candidates(chosen(method, 1), STATEMENTS, STREAMS, 40, seed=0)["shuffled"]
    along = [float(draw.vectors[0].direction[dimension]) for draw in draws]
    assert np.abs(np.mean(along)) < 0.25, "no sense of direction"
    assert np.mean(np.abs(along)) < 0.7
    make = Contrast.of_labels if method == "caa" else Contrast.of_groups
    true = mean_difference(make(STATEMENTS, "gender", resamples=1, seed=0).differences(X))
    assert abs(true[dimension]) / np.linalg.norm(true) > 0.85


def test_what_is_shuffled_is_what_the_vectors_are_made_from(tiny_folder: Path) -> None:
    """The store keeps last tokens; vectors of the terms are made from the terms' own."""
    store = cast(ActivationStore, FakeStore(STATEMENTS, STREAMS))
    record_provenance(tiny_folder, "local", "tiny", "float32")
    loaded = load_model(tiny_folder, "cpu")
    (kept,) = streams_behind(make_vectors(("group",), 1), store, loaded).values()
    np.testing.assert_array_equal(kept, X)
    (at_terms,) = streams_behind(make_vectors(("term",), 1), store, loaded).values()
    expected = group_term_streams(loaded, STATEMENTS, [HookPoint("resid_post", 0)])[
        HookPoint("resid_post", 0)
    ]
    np.testing.assert_array_equal(at_terms, expected)


def test_the_same_seed_draws_the_same() -> None:
    one, two, other = (
        null_candidates(chosen(), STATEMENTS, STREAMS, 2, seed) for seed in (0, 0, 1)
    )
    for kind, draws in one.items():
        assert torch.equal(draws[1].vectors[2].direction, two[kind][1].vectors[2].direction)
        assert not torch.equal(draws[1].vectors[2].direction, other[kind][1].vectors[2].direction)


def test_rank() -> None:
    draws = np.arange(19) / 100
    assert rank_p(0.5, draws) == pytest.approx(1 / 20)
    assert rank_p(-1.0, draws) == 1
    assert rank_p(0.185, np.append(draws, np.nan)) == pytest.approx(2 / 21)
    assert rank_p(None, draws) is None
    assert rank_p(0.5, np.empty(0)) is None


def test_a_distribution_leaves_out_what_is_unknown() -> None:
    found = distribution(np.array([1.0, np.nan, 3.0]))
    assert (found["min"], found["median"], found["max"]) == (1, 2, 3)
    assert distribution(np.array([np.nan]))["median"] is None
