"""Batched, length-sorted, with shared beginnings: the same as one text at a time."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel import progress
from evenkeel.models.loading import LoadedModel
from evenkeel.public_benchmarks.encoding import Encoder, Scored
from evenkeel.public_benchmarks.scoring import Scorer
from tests.public_benchmarks import plain

TEXTS = st.lists(st.integers(0, 3), min_size=1, max_size=12)  # few tokens: many shared beginnings


@settings(max_examples=25)
@given(
    st.lists(st.tuples(TEXTS, st.integers(1, 13)), min_size=1, max_size=12),
    st.sampled_from([1, 16, 1000]),
)
def test_scores_are_those_of_one_text_at_a_time(
    loaded: LoadedModel, texts: list[tuple[list[int], int]], batch_tokens: int
) -> None:
    asked = [Scored(tuple(tokens), min(start, len(tokens))) for tokens, start in texts]
    found = Scorer(asked, batch_tokens).run(loaded.model)
    assert len(found) == len(asked)
    for each, scores in zip(asked, found, strict=True):
        alone = plain.log_probs(loaded.model, each.tokens)[each.start - 1 :]
        np.testing.assert_allclose(scores, alone, atol=1e-5)


def test_a_text_that_begins_another_is_not_run(loaded: LoadedModel) -> None:
    rows = 0

    def count(_module: Any, arguments: Any, options: dict[str, torch.Tensor]) -> None:
        nonlocal rows
        rows += len(options["input_ids"])

    texts = [(5, 6, 7, 8), (5, 6, 9), (5, 6), (5, 6, 7), (1,), (5, 6, 7, 8)]
    hook = loaded.model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        Scorer([Scored(tokens, 1) for tokens in texts], 64).run(loaded.model)
    finally:
        hook.remove()
    assert rows == 1  # 5 6 7: what comes last in a text is not looked at


def test_long_scoring_says_how_far_it_is(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    Scorer([Scored((number, 6, 7), 1) for number in range(3)], 2).run(loaded.model)
    assert "texts of the benchmark: 3 of 3 pass" in capsys.readouterr().err


def test_the_encoder_begins_texts_as_the_tokenizer_does(loaded: LoadedModel) -> None:
    encoder = Encoder.of(loaded)
    asked = encoder.continuation("The nurse said", " that")
    text = loaded.tokenizer.decode(asked.tokens)
    assert text == "The nurse said that"
    assert loaded.tokenizer.decode(asked.tokens[asked.start :]) == " that"
    assert encoder.bos == loaded.tokenizer.bos_token_id
    assert encoder.limit == 400


def test_items_that_do_not_fit_are_left_out_or_refused() -> None:
    encoder = Encoder(None, 10)
    assert encoder.fitting([3, 11, 10], "texts") == [0, 2]
    assert Encoder(None, None).fitting([3, 11], "texts") == [0, 1]
    with pytest.raises(ValueError, match="texts: no item fits the model's context of 10 tokens"):
        encoder.fitting([11, 12], "texts")
