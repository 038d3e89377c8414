"""Gates open at stereotypes and shut at definitions, as far as the stream tells them apart."""

from collections.abc import Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.selection.gating import GateFitter, best_cut
from evenkeel.steering.gates import BandGate, ProbeGate
from evenkeel.vectors.vector import SteeringVector
from tests.evaluation.samples import ITEMS

LOADED: Any = SimpleNamespace(model=None)
"""What it reads is planted."""


@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=12))
def test_no_threshold_is_better_than_the_best_cut(rows: list[tuple[int, bool]]) -> None:
    values, positive = (np.array(column) for column in zip(*rows, strict=True))
    if positive.all() or not positive.any() or len(set(values)) == 1:
        return

    def balanced(cut: float) -> float:
        return float((values > cut)[positive].mean() + (values < cut)[~positive].mean())

    between = [cut + 0.5 for cut in range(-4, 4)]
    best = max(balanced(cut) for cut in between if values.min() < cut < values.max())
    assert balanced(best_cut(values.astype(float), positive)) == pytest.approx(best)


def test_a_cut_lies_halfway_between_what_it_separates() -> None:
    assert best_cut(np.array([3.0, 0.0, 1.0, 4.0]), np.array([True, False, False, True])) == 2.0


GENDERED = {"sister": 3, "brother": -3, "mother": 4, "uncle": -4, "queen": 3, "king": -3}
"""Where gendered nouns are planted along the direction; occupations are nearer to its centre."""


def planted(texts: Sequence[str]) -> torch.Tensor:
    """Streams [texts, 32]: gender along dimension 0, around 0.5; persons along 1 and 2."""
    generator = torch.Generator().manual_seed(len(texts))
    streams = torch.randn(len(texts), 32, generator=generator) / 10
    jobs = {job for jobs in ITEMS.values() for job in jobs}
    for row, text in zip(streams, texts, strict=True):
        words = text.split()
        known = [noun for noun in GENDERED if noun in words]
        row[0] += 0.5 + (GENDERED[known[0]] if known else (-1) ** len(text))
        row[1] += 3 * (words[-1] in GENDERED)
        row[2] += 3 * (words[-1] in jobs)
    return streams


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts whose streams are asked for; they are handed out as `planted`."""
    texts_read: list[str] = []

    def capture(_loaded: Any, texts: list[str], sites: list[str], layers: list[int]) -> Any:
        texts_read.extend(texts)
        return {
            HookPoint.of(site, layer): planted(texts).numpy() for site in sites for layer in layers
        }

    monkeypatch.setattr("evenkeel.selection.gating.capture_beginnings", capture)
    counted = nullcontext(SimpleNamespace(tokens=7))
    monkeypatch.setattr("evenkeel.selection.gating.counted_tokens", lambda _model: counted)
    monkeypatch.setattr("evenkeel.selection.gating.past_first_token", lambda _loaded, texts: texts)
    return texts_read


def vector(width: int = 32) -> SteeringVector:
    return SteeringVector.of(
        torch.eye(width)[0], axis="gender", method="group", site="resid_post", layer=1,
        stream_norm=1.0,
    )  # fmt: skip


@pytest.mark.usefixtures("read")
@pytest.mark.parametrize("kind", ["band", "probe"])
def test_fitted_gates_know_unseen_terms(kind: Any, prompts: list[Prompt]) -> None:
    seen = [prompt for prompt in prompts if prompt.split != "test"]
    fitted = GateFitter(LOADED, seen, [vector().point]).fit(kind, (vector(),))
    (gate,) = fitted.gates
    assert isinstance(gate, BandGate if kind == "band" else ProbeGate)
    asked = [prompt for prompt in prompts if prompt.split == "test" and prompt.kind != "neutral"]
    terms = [prompt.text[: prompt.text.find(prompt.item) + len(prompt.item)] for prompt in asked]
    if kind == "probe":
        assert fitted.midpoint is not None
        assert float(fitted.midpoint[0]) == pytest.approx(0.5, abs=0.2), "where gender is planted"
    occupations = [prompt.kind == "stereotypical" for prompt in asked]
    assert gate(planted(terms)[None])[0].tolist() == occupations
    after = gate(planted([prompt.text for prompt in asked])[None])[0].tolist()
    assert after == (occupations if kind == "band" else [False] * len(asked))


def test_further_items_are_no_other_words(read: list[str], prompts: list[Prompt]) -> None:
    further = [
        prompt.model_copy(update={"kind": "further", "text": "Never to be read"})
        for prompt in prompts
        if prompt.split == "train"
    ]
    fitter = GateFitter(LOADED, [*prompts, *further], [vector().point])
    fitter.fit("band", (vector(),))
    assert read
    assert not any("Never" in text for text in read)


def test_every_word_is_read(read: list[str], prompts: list[Prompt]) -> None:
    fitter = GateFitter(LOADED, prompts, [vector().point])
    assert fitter.fit("none", (vector(),)).gates == ()
    assert not read
    assert fitter.fit("probe", (vector(),)).tokens_read == 2 * 7  # both splits
    begun = {"I", "I met", "I met the", "I met the nurse", "I met the nurse because", "The maid"}
    assert begun <= set(read)
    assert len(set(read)) < len(read), "the two splits share beginnings, each read once in both"
    assert not {"Our", "That pilot", ""} & set(read), "nothing of the test split"


@pytest.mark.usefixtures("read")
def test_what_gates_cannot_be_fitted_to_is_refused(prompts: list[Prompt]) -> None:
    spoilt = [prompt.model_copy(update={"text": "Someone said that"}) for prompt in prompts]
    with pytest.raises(BadInputError, match="does not hold its item 'maid'"):
        GateFitter(LOADED, spoilt, [vector().point]).fit("probe", (vector(),))
    with pytest.raises(BadInputError, match="width of 16, but this model has 32"):
        GateFitter(LOADED, prompts, [vector().point]).fit("band", (vector(16),))
