"""WikiText: every token but the first is scored once, and the perplexities are those of a loop."""

import math
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.public_benchmarks.encoding import Encoder
from evenkeel.public_benchmarks.scoring import Scorer
from evenkeel.public_benchmarks.wikitext import WikiText, read_wikitext
from tests.public_benchmarks import plain

TEXT = " = Lobsters = \n \n The <unk> lobster is blue , and it may grow to 60 cm . \n" * 3


@pytest.mark.parametrize("stride", [None, 1, 7, 20])
def test_perplexities_are_those_of_a_loop_over_tokens(
    loaded: LoadedModel, stride: int | None
) -> None:
    encoder = Encoder(loaded.tokenizer, 20)
    ids = loaded.tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    step = stride or 20
    total = 0.0
    for place in range(1, len(ids)):
        # The first window that reaches the token gives it the longest context there is.
        window = max(0, math.ceil((place - 20) / step))
        total -= plain.log_probs(loaded.model, ids[window * step : place + 1])[-1]
    task = WikiText(TEXT, encoder, 300, stride)
    token, word = task.measures(Scorer(task.asked, 512).run(loaded.model))
    assert token.columns[1].sum() == len(ids) - 1 == task.size["tokens"]
    assert token.statistic(*token.columns) == pytest.approx(
        math.exp(total / (len(ids) - 1)), rel=1e-5
    )
    assert word.statistic(*word.columns) == pytest.approx(
        math.exp(total / len(TEXT.split())), rel=1e-5
    )
    assert f"windows of 20 tokens, {step} apart" in task.rules["rolling"]


@pytest.mark.parametrize("stride", [None, 7])
def test_every_window_begins_as_a_text_does(loaded: LoadedModel, stride: int | None) -> None:
    """A model that was trained to see BOS first sees it first in every window."""
    from tokenizers import processors

    tokenizer = deepcopy(loaded.tokenizer)
    bos = tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A <|endoftext|>", special_tokens=[("<|endoftext|>", bos)]
    )
    ids = loaded.tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    task = WikiText(TEXT, Encoder(tokenizer, 20), 300, stride)
    scored = []
    for each in task.asked:
        assert each.tokens[0] == bos
        assert each.start > 1
        assert len(each.tokens) - 1 <= 20  # what the model looks at
        scored += each.tokens[each.start :]
    assert scored == ids[1:]
    total = 0.0
    for place in range(1, len(ids)):
        window = max(0, math.ceil((place - 19) / (stride or 19)))
        context = [bos, *ids[window * (stride or 19) : place + 1]]
        total -= plain.log_probs(loaded.model, context)[-1]
    token, _ = task.measures(Scorer(task.asked, 512).run(loaded.model))
    assert token.statistic(*token.columns) == pytest.approx(
        math.exp(total / (len(ids) - 1)), rel=1e-5
    )
    assert "each after what the tokenizer puts before a text" in task.rules["rolling"]


def test_guessing_among_all_tokens_is_chance() -> None:
    task = WikiText(TEXT, Encoder(_Letters(), 20), 300, None)
    guesses = [np.full(len(each.tokens) - each.start, -math.log(300)) for each in task.asked]
    for measure in task.measures(guesses):
        assert measure.statistic(*measure.columns) == pytest.approx(measure.reference)


class _Letters:
    """A tokenizer whose tokens are the letters."""

    bos_token_id = eos_token_id = 0

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) % 300 for letter in text]}


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    encoder = Encoder(_Letters(), 20)
    with pytest.raises(BadInputError, match=r"benchmarks\.stride: 21 tokens, but a window has 20"):
        WikiText(TEXT, encoder, 300, 21)
    with pytest.raises(BadInputError, match="two tokens or more"):
        WikiText("a", encoder, 300, None)
    (tmp_path / "valid.txt").write_bytes(b"one\ntwo \xff\n")
    with pytest.raises(BadInputError, match=r"valid\.txt, line 2: not UTF-8"):
        read_wikitext(tmp_path)
    (tmp_path / "valid.txt").write_text(" \n")
    with pytest.raises(BadInputError, match=r"valid\.txt: empty"):
        read_wikitext(tmp_path)
