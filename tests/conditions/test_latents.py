"""Latents of the axis's features, edited at once, and random ones that fire as often."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.conditions.latents import (
    NEIGHBORS,
    make_latents_conditions,
    matched_features,
    random_latents,
)
from evenkeel.conditions.vector import Gating, make_vector_conditions
from evenkeel.errors import BadInputError
from evenkeel.steering.gates import ProbeGate
from evenkeel.steering.latents import Clamp, Scale
from tests.evaluation.samples import make_dictionary, make_feature_vectors, make_vectors

FREQUENCY = np.geomspace(1e-4, 0.3, 60)
DEAD = [7, 8]
FIRING = [feature for feature in range(60) if feature not in DEAD]


@given(
    features=st.sets(st.sampled_from(FIRING), min_size=1, max_size=4).map(sorted),
    seed=st.integers(0, 99),
)
def test_random_sets_are_of_others_that_fire_about_as_often(features: list[int], seed: int) -> None:
    frequency = FREQUENCY.copy()
    frequency[DEAD] = 0
    draws = matched_features(frequency, features, 5, np.random.default_rng(seed))
    assert draws == matched_features(frequency, features, 5, np.random.default_rng(seed))
    for drawn in draws:
        assert len(set(drawn)) == len(drawn) >= len(features)
        assert frequency[list(drawn)].sum() >= frequency[features].sum()
        assert not {*features, *DEAD} & set(drawn)
        if len(drawn) > len(features):
            assert frequency[list(drawn[:-1])].sum() < frequency[features].sum()
        for feature, stand_in in zip(features, drawn, strict=False):
            # Nearer ones are the other neighbors, or were not there to be drawn.
            assert abs(feature - stand_in) <= NEIGHBORS + 2 * len(features) + len(DEAD)


def test_every_action_gate_and_force_on_all_latents_at_once() -> None:
    dictionary = make_dictionary()
    vectors = [*make_vectors(), *make_feature_vectors(dictionary, (3, 7))]
    probe = ProbeGate(torch.randn(32), 0.0)
    found = make_latents_conditions(
        vectors,
        "gender",
        dictionary,
        {"clamp": [0.0, 2.0], "scale": [0.125]},
        ["none", "band", "probe"],
        lambda kind, vector: Gating((probe,)) if kind == "probe" else Gating(),
    )
    assert [(c.name, c.multiplier) for c in found] == [
        ("sae_clamp", 0.0),
        ("sae_clamp", 2.0),
        ("sae_clamp_probe", 0.0),
        ("sae_clamp_probe", 2.0),
        ("sae_scale", 0.125),
        ("sae_scale_probe", 0.125),
    ]
    (edit,) = found[3].interventions
    assert isinstance(edit, Clamp)
    assert (edit.features, edit.value, edit.gates) == ((3, 7), 2.0, (probe,))
    (edit,) = found[4].interventions
    assert isinstance(edit, Scale)
    assert (edit.factor, edit.gates) == (0.125, ())
    recipe = found[4].recipe
    assert (recipe.features, recipe.layer, recipe.site) == ((3, 7), 1, "resid_post")


def test_a_dose_of_a_scale_is_of_its_distance_from_one() -> None:
    dictionary = make_dictionary()
    (scaled,) = make_latents_conditions(
        make_feature_vectors(dictionary, (3,)), "gender", dictionary, {"scale": [0.25]}
    )
    assert [scaled.at(dose).multiplier for dose in (0, 0.5, 1, 2)] == [1.0, 0.625, 0.25, -0.5]


def test_each_decoder_row_is_a_vector_by_itself_wherever_layers_are_asked_for() -> None:
    dictionary = make_dictionary()
    vectors = [*make_vectors(), *make_feature_vectors(dictionary, (3, 7))]
    found = make_vector_conditions(vectors, "gender", ["caa", "sae"], [0], {"add": [0.5]})
    assert [(c.recipe.method, c.recipe.layer, c.recipe.features) for c in found] == [
        ("caa", 0, ()),
        ("sae", 1, (3,)),
        ("sae", 1, (7,)),
    ]


def test_random_candidates_differ_in_their_latents_only() -> None:
    dictionary = make_dictionary()
    (own,) = make_latents_conditions(
        make_feature_vectors(dictionary, (3, 7)), "gender", dictionary, {"clamp": [0.0]}
    )
    for drawn in random_latents(own, 4, seed=0):
        assert not {3, 7} & set(drawn.features)
        (edit,) = drawn.interventions
        assert isinstance(edit, Clamp)
        assert (edit.features, edit.value, edit.layer) == (drawn.features, 0.0, 1)


def test_what_does_not_belong_together_is_refused() -> None:
    dictionary = make_dictionary()
    with pytest.raises(BadInputError, match=r"no sae vector for axis 'gender' .* no feature is"):
        make_latents_conditions(make_vectors(), "gender", dictionary, {"clamp": [0.0]})
    for other in (make_dictionary(layer=2), make_dictionary()):
        vectors = make_feature_vectors(other, (3,))
        other.sae.module.W_dec.data[3] *= -1
        with pytest.raises(BadInputError, match="feature 3 is no decoder row of the SAE in use"):
            make_latents_conditions(vectors, "gender", other, {"clamp": [0.0]})
        with pytest.raises(
            BadInputError, match="2 other features of the SAE ever fire, too few to draw"
        ):
            matched_features(np.ones(5), [0, 1, 2], 1, np.random.default_rng(0))
