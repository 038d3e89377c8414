"""Vectors of shuffled labels: mean differences of the same statements that know nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.vectors.contrasts import Contrast
from evenkeel.vectors.shuffled import ShuffledFitter, ShuffledVectors, shuffle_key
from evenkeel.vectors.vector import SteeringVector
from tests.probes.planted import planted_activations, planted_statements

SHUFFLES = 40
RACES = ("Asian", "Black", "Hispanic", "white")


def fitted(statements: pd.DataFrame, x: np.ndarray, seed: int = 0) -> ShuffledVectors:
    axis = statements["axis"].iloc[0]
    labels = Contrast.of_labels(statements, axis, resamples=100, seed=0)
    groups = Contrast.of_groups(statements, axis, resamples=100, seed=0)
    fitter = ShuffledFitter(labels, groups, len(statements), SHUFFLES, seed)
    fitter.update("resid_post", 1, x, None)
    fitter.update("resid_post", 2, 2 * x, np.roll(x, 1, axis=1))
    return fitter.result


def vector(method: str, layer: int = 1, group: str | None = None) -> SteeringVector:
    return SteeringVector.of(
        torch.ones(12), axis="gender", method=method, site="resid_post", layer=layer,
        stream_norm=3.0, group=group,
    )  # fmt: skip


def test_a_shuffle_is_a_mean_difference_of_the_training_statements_dealt_anew() -> None:
    statements = planted_statements()
    train = (statements["split"] == "train").to_numpy()
    found = fitted(statements, np.eye(len(statements), dtype=np.float32))
    weights = found.directions["labels/resid_post/1"].numpy()
    assert weights.shape == (SHUFFLES, len(statements))
    # Of one-hot activations: half of the training statements weigh as much for, half against.
    half = train.sum() / 2
    assert np.abs(weights[:, train]) == pytest.approx(1 / half)
    assert (weights[:, train] > 0).sum(axis=1).tolist() == [half] * SHUFFLES
    assert not weights[:, ~train].any()
    assert len(np.unique(weights, axis=0)) == SHUFFLES


def test_shuffles_do_not_know_what_was_planted_and_lie_where_activations_vary() -> None:
    statements = planted_statements(quads=64)
    x = planted_activations(statements, bias=6, group=6)
    x[:, 5:] = 0  # where nothing varies
    labels = fitted(statements, x).directions["labels/resid_post/1"].numpy()
    true = Contrast.of_labels(statements, "gender", resamples=100, seed=0).differences(x).mean(0)
    assert abs(true[0]) > 5
    assert np.abs(labels[:, 0]).max() < abs(true[0]) / 2
    assert abs(labels[:, 0].mean()) < 0.2 * abs(true[0])
    assert not labels[:, 5:].any()


def test_all_hook_points_share_the_shuffles() -> None:
    statements = planted_statements()
    x = planted_activations(statements)
    directions = fitted(statements, x).directions
    for source in ("labels", "groups"):
        first, second = (directions[f"{source}/resid_post/{layer}"] for layer in (1, 2))
        torch.testing.assert_close(second, 2 * first)
    rolled = torch.roll(directions["groups/resid_post/1"], 1, dims=1)
    torch.testing.assert_close(directions["terms/resid_post/2"], rolled)
    assert "terms/resid_post/1" not in directions


def test_the_seed_decides_the_shuffles() -> None:
    statements = planted_statements()
    x = planted_activations(statements)
    one, same, other = (fitted(statements, x, seed).directions for seed in (0, 0, 1))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["labels/resid_post/1"], other["labels/resid_post/1"])


@pytest.mark.parametrize(
    ("method", "key"),
    [
        ("caa", "labels/resid_post/2"),
        ("probe", "labels/resid_post/2"),
        ("term", "terms/resid_post/2"),
        ("group", "groups/resid_post/2"),
        ("pca", "groups/resid_post/2"),
    ],
)
def test_a_shuffle_stands_in_the_place_of_a_vector(method: str, key: str) -> None:
    statements = planted_statements()
    shuffled = fitted(statements, planted_activations(statements))
    own = vector(method, layer=2)
    placed = shuffled.in_place_of(own, 7)
    raw = shuffled.directions[key][7].double()
    torch.testing.assert_close(placed.direction, (raw / raw.norm()).float())
    assert placed.method == "shuffled"
    kept = ("axis", "site", "layer", "stream_norm", "group")
    assert [getattr(placed, name) for name in kept] == [getattr(own, name) for name in kept]


def test_each_of_several_groups_has_shuffles_of_its_own() -> None:
    statements = planted_statements(("race",), groups=RACES)
    shuffled = fitted(statements, planted_activations(statements))
    keys = [shuffle_key("groups", "resid_post", 1, group) for group in RACES]
    assert keys[0] == "groups/resid_post/1/Asian"
    assert {*keys, "labels/resid_post/1"} < set(shuffled.directions)
    assert "groups/resid_post/1" not in shuffled.directions
    black, white = (shuffled.in_place_of(vector("group", group=g), 0) for g in ("Black", "white"))
    assert not torch.equal(black.direction, white.direction)
    assert black.group == "Black"


def test_a_shuffle_that_is_not_there_is_refused() -> None:
    statements = planted_statements()
    shuffled = fitted(statements, planted_activations(statements))
    with pytest.raises(BadInputError, match=f"no shuffle {SHUFFLES} of labels/resid_post/1 among"):
        shuffled.in_place_of(vector("caa"), SHUFFLES)
    with pytest.raises(BadInputError, match="no shuffle 0 of terms/resid_post/1 among"):
        shuffled.in_place_of(vector("term"), 0)


def test_shuffles_read_back_exactly(tmp_path: Path) -> None:
    statements = planted_statements()
    shuffled = fitted(statements, planted_activations(statements))
    shuffled.save(tmp_path / "a")
    shuffled.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    read = ShuffledVectors.load(tmp_path / "a").directions
    assert read.keys() == shuffled.directions.keys()
    assert all(torch.equal(read[key], shuffled.directions[key]) for key in read)
    vector("caa").save(tmp_path / "other")
    with pytest.raises(BadInputError, match="other"):
        ShuffledVectors.load(tmp_path / "other")
