"""The stream is read where the group is named, and nowhere else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from evenkeel.activations.capture import capture_texts
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.models.sites import HookPoint
from evenkeel.vectors.group_term import group_term_streams


@pytest.fixture
def loaded(tiny_folder: Path) -> LoadedModel:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    return load_model(tiny_folder, "cpu")


def statements(texts: list[str], term: str) -> pd.DataFrame:
    return pd.DataFrame({"text": texts, "terms": [f"{term}|quiet" for _ in texts]})


def test_it_is_the_stream_of_the_whole_text_there(loaded: LoadedModel) -> None:
    text = "My friend says the Nun is quiet."
    points = [HookPoint("resid_post", 0), HookPoint("resid_post", 2)]
    found = group_term_streams(loaded, statements([text, f"{text} Yes."], "nun"), points)
    ids = loaded.tokenizer(text, return_tensors="pt")["input_ids"]
    place = len(loaded.tokenizer("My friend says the Nun")["input_ids"]) - 1
    with torch.no_grad():
        states = loaded.model(ids, output_hidden_states=True).hidden_states
    assert list(found) == points
    first, second = found[HookPoint("resid_post", 0)]
    np.testing.assert_allclose(first, states[1][0, place], atol=1e-5)
    np.testing.assert_array_equal(first, second)


def test_a_statement_without_its_term_is_refused(loaded: LoadedModel) -> None:
    with pytest.raises(BadInputError, match="does not hold its group term 'monk'"):
        group_term_streams(
            loaded, statements(["The nun is quiet."], "monk"), [HookPoint("resid_post", 0)]
        )


@pytest.mark.parametrize(
    ("text", "term", "beginning"),
    [
        ("The manager met a man there.", "man", "The manager met a man"),
        ("İİİİ saw a NUN today.", "nun", "İİİİ saw a NUN"),
    ],
)
def test_it_is_read_at_the_word_itself(
    loaded: LoadedModel, text: str, term: str, beginning: str
) -> None:
    """Not within another word, nor beside it where lower-casing changes the text's length."""
    points = [HookPoint("resid_post", 1)]
    (found,) = group_term_streams(loaded, statements([text], term), points).values()
    (expected,) = capture_texts(loaded, [beginning], ["resid_post"], [1], "last").values()
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(BadInputError, match="as a word"):
        group_term_streams(loaded, statements(["The manager left."], "man"), points)
