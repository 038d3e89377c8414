"""Null directions have the hook point, multiplier and norm of the chosen one, and no meaning."""

import numpy as np
import pytest
import torch

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.vector import VectorCondition
from evenkeel.controls.nulls import hardest_nulls, null_conditions, quantiles, rank_p
from evenkeel.errors import BadInputError
from evenkeel.steering.intervention import Add
from evenkeel.vectors.contrasts import Contrast
from evenkeel.vectors.directions import mean_difference
from evenkeel.vectors.shuffled import ShuffledFitter, ShuffledVectors
from tests.evaluation.samples import make_vectors
from tests.probes.planted import planted_activations, planted_statements

STATEMENTS = planted_statements()
X = planted_activations(STATEMENTS, width=32)
LABELS = Contrast.of_labels(STATEMENTS, "gender", resamples=1, seed=0)
GROUPS = Contrast.of_groups(STATEMENTS, "gender", resamples=1, seed=0)


def shuffled(draws: int = 40, seed: int = 0) -> ShuffledVectors:
    fitter = ShuffledFitter(LABELS, GROUPS, len(STATEMENTS), draws, seed)
    for layer in range(3):
        fitter.update("resid_post", layer, X, None)
    return fitter.result


def chosen(method: str = "caa", layers: int = 3) -> VectorCondition:
    return VectorCondition(tuple((v,) for v in make_vectors((method,), layers)), "add", 0.5)


def cosines(condition: VectorCondition, other: Condition) -> list[float]:
    assert isinstance(other, VectorCondition)
    pairs = zip(condition.all_vectors, other.all_vectors, strict=True)
    return [float(one.direction @ two.direction) for one, two in pairs]


def test_multiplier_and_hook_point_are_the_chosen_ones() -> None:
    condition = chosen()
    nulls = null_conditions(condition, shuffled(), 4, seed=0)
    assert {kind: len(draws) for kind, draws in nulls.items()} == {
        "random": 4, "orthogonal": 4, "shuffled": 4
    }  # fmt: skip
    for draws in nulls.values():
        for draw in draws:
            for edit, null in zip(condition.interventions, draw.interventions, strict=True):
                assert isinstance(edit, Add)
                assert isinstance(null, Add)
                assert (edit.layer, edit.site, edit.scale) == (null.layer, null.site, null.scale)
                assert float(null.direction.norm()) == pytest.approx(1, abs=1e-5)
        first, second = draws[:2]
        assert isinstance(first, VectorCondition)
        assert abs(cosines(first, second)[0]) < 0.99, "draws differ"


def test_orthogonal_ones_are() -> None:
    for draw in null_conditions(chosen(), shuffled(), 5, seed=0)["orthogonal"]:
        assert cosines(chosen(), draw) == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.parametrize(("method", "dimension"), [("caa", 0), ("group", 1)])
def test_shuffling_hides_what_the_labels_tell(method: str, dimension: int) -> None:
    """The label lies along dimension 0, the group along 1: true vectors point there, shuffled ones
    only as far as chance takes them."""
    draws = null_conditions(chosen(method, 1), shuffled(), 40, seed=0)["shuffled"]
    along = [float(draw.all_vectors[0].direction[dimension]) for draw in draws]  # type: ignore[attr-defined]
    assert np.abs(np.mean(along)) < 0.25, "no sign in common"
    assert np.mean(np.abs(along)) < 0.7
    contrast = LABELS if method == "caa" else GROUPS[0]
    true = mean_difference(contrast.differences(X))
    assert abs(true[dimension]) / np.linalg.norm(true) > 0.85


def test_the_same_seed_draws_the_same() -> None:
    one, two, other = (
        null_conditions(chosen(), shuffled(seed=seed), 2, seed) for seed in (0, 0, 1)
    )
    for kind, draws in one.items():
        directions = [
            nulls[kind][1].all_vectors[2].direction  # type: ignore[attr-defined]
            for nulls in (one, two, other)
        ]
        assert len(draws) == 2
        assert torch.equal(directions[0], directions[1])
        assert not torch.equal(directions[0], directions[2])


def test_more_draws_than_shuffles_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"no shuffle 3 of labels/resid_post/0"):
        null_conditions(chosen(), shuffled(draws=3), 4, seed=0)


@pytest.mark.parametrize("trained", [0, 2])
def test_of_what_takes_a_training_there_are_as_many_draws_as_were_trained(trained: int) -> None:
    own = {f"bipo/resid_post/{layer}": torch.randn(trained, 32) for layer in range(3) if trained}
    beside = ShuffledVectors({**shuffled().directions, **own})
    kind, draws = hardest_nulls(chosen("bipo"), beside, 9, seed=0) or ("", [])
    assert (kind, len(draws)) == ("shuffled", trained)
    for number, draw in enumerate(draws):
        assert isinstance(draw, VectorCondition)
        for vector in draw.all_vectors:
            row = own[f"bipo/resid_post/{vector.layer}"][number]
            torch.testing.assert_close(vector.direction, row / row.norm())
    kinds = null_conditions(chosen("bipo"), beside, 9, seed=0)
    assert set(kinds) - {"random", "orthogonal"} == ({"shuffled"} if trained else set())
    assert rank_p(0.5, np.array([])) is None


def test_rank() -> None:
    draws = np.arange(19) / 100
    assert rank_p(0.5, draws) == pytest.approx(1 / 20)
    assert rank_p(-1.0, draws) == 1
    assert rank_p(0.185, np.append(draws, np.nan)) == pytest.approx(2 / 21)
    assert rank_p(None, draws) is None
    assert rank_p(0.5, np.empty(0)) is None


def test_a_distribution_leaves_out_what_is_unknown() -> None:
    found = quantiles(np.array([1.0, np.nan, 3.0]))
    assert (found["min"], found["median"], found["max"]) == (1, 2, 3)
    assert quantiles(np.array([np.nan]))["median"] is None
