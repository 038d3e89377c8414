"""Activation addition of each axis is made of that axis's own words."""

from typing import Any

import numpy as np
import pytest

from evenkeel.activations.capture import capture_texts
from evenkeel.axes import AXES
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.models.provenance import Provenance
from evenkeel.models.sites import HookPoint
from evenkeel.params import ActAddParams
from evenkeel.vectors.actadd import LEAD, axis_differences, text_pairs

POINT = HookPoint("resid_post", 1)


@pytest.fixture
def loaded(tiny_gpt2: Any, tokenizer: Any) -> LoadedModel:
    hashes = dict.fromkeys(("revision", "fingerprint", "tokenizer_hash"), "f" * 64)
    provenance = Provenance(source="local", name="tiny", dtype="float32", **hashes)
    return LoadedModel(tiny_gpt2, tokenizer, provenance)


def test_each_axis_has_the_words_of_its_first_two_groups_unless_named() -> None:
    named = ActAddParams(pairs={"age": {"positive": "old", "negative": "young"}})  # type: ignore[dict-item]
    pairs = text_pairs(named, list(AXES))
    assert pairs["age"] == ("old", "young")
    for axis in set(AXES) - {"age"}:
        first, second = AXES[axis].groups[:2]
        assert pairs[axis] == (LEAD + first.continuations[0], LEAD + second.continuations[0])
    assert len(set(text_pairs(ActAddParams(pairs=None), list(AXES)).values())) == len(AXES)


def test_an_axis_without_words_is_refused() -> None:
    with pytest.raises(BadInputError, match="names no texts for axis 'height'"):
        text_pairs(ActAddParams(pairs=None), ["height"])


def test_the_difference_of_an_axis_is_that_of_its_own_texts(loaded: LoadedModel) -> None:
    pairs = {"age": ("an old man", "a young man"), "gender": ("a lady", "a lord")}
    found = axis_differences(loaded, [POINT], pairs)
    for axis, texts in pairs.items():
        one, other = capture_texts(loaded, texts, [POINT.site], [POINT.layer])[POINT]
        np.testing.assert_allclose(found[axis][POINT], one - other, atol=1e-5)
    assert not np.allclose(found["age"][POINT], found["gender"][POINT], atol=1e-2)
