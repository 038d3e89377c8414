"""Features that prompts share: a planted latent is found, and what negatives fire is left out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.sae.prompted import ReadPrompt, common_features

LATENTS = 12


def prompt(sums: list[float]) -> ReadPrompt:
    latents = np.zeros((3, LATENTS), dtype=np.float32)
    latents[1] = sums
    return ReadPrompt("x", ("a", "b", "c"), latents)


sums = st.lists(st.integers(0, 4).map(float), min_size=LATENTS, max_size=LATENTS)


@given(st.lists(sums, min_size=1, max_size=4), st.lists(sums, max_size=3), st.integers(1, 6))
def test_what_is_common_is_in_every_top_and_in_no_negative_one(
    positive: list[list[float]], negative: list[list[float]], top: int
) -> None:
    found = common_features([prompt(s) for s in positive], [prompt(s) for s in negative], top)
    for feature in found:
        for own in positive:
            assert own[feature] > 0
            assert sum(value > own[feature] for value in own) < top
    tops = [
        {f for f in np.argsort(-np.array(own), kind="stable")[:top] if own[f] > 0}
        for own in [*positive, *negative]
    ]
    expected = set.intersection(*tops[: len(positive)]).difference(*tops[len(positive) :])
    assert set(found.tolist()) == expected
    totals = [sum(own[feature] for own in positive) for feature in found]
    assert totals == sorted(totals, reverse=True)


def test_without_prompts_nothing_is_common() -> None:
    assert common_features([], [prompt([1.0] * LATENTS)], 5).size == 0
