"""Gates open at stereotypes and shut at definitions, as far as the stream tells them apart."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.evaluation.gating import GateFitter, best_cut
from evenkeel.steering.gates import BandGate, ProbeGate
from evenkeel.synthesis.records import Prompt
from evenkeel.vectors.vector import SteeringVector
from tests.evaluation.samples import make_vectors


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


def planted(texts: list[str]) -> torch.Tensor:
    """Streams [texts, 32]: gender along dimension 0, around 0.5; definition along dimension 1."""
    generator = torch.Generator().manual_seed(len(texts))
    streams = torch.randn(len(texts), 32, generator=generator) / 10
    for row, text in zip(streams, texts, strict=True):
        known = [noun for noun in GENDERED if noun in text]
        row[0] += 0.5 + (GENDERED[known[0]] if known else (-1) ** len(text))
        row[1] += 1.0 if known else -1.0
    return streams


@pytest.mark.parametrize("kind", ["band", "probe"])
def test_fitted_gates_know_unseen_terms(
    kind: Any, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    def capture(_loaded: Any, texts: list[str], sites: list[str], layers: list[int]) -> Any:
        return {(site, layer): planted(texts).numpy() for site in sites for layer in layers}

    monkeypatch.setattr("evenkeel.evaluation.gating.capture_texts", capture)
    vector = SteeringVector.of(
        torch.eye(32)[0], axis="gender", method="group", site="resid_post", layer=1, stream_norm=1.0
    )
    seen = [prompt for prompt in prompts if prompt.split != "test"]
    (gate,) = GateFitter(None, seen, [vector]).fit(kind, vector)  # type: ignore[arg-type]
    assert isinstance(gate, BandGate if kind == "band" else ProbeGate)
    asked = [prompt for prompt in prompts if prompt.split == "test" and prompt.kind != "neutral"]
    is_open = gate(planted([prompt.text for prompt in asked])[None])[0]
    assert is_open.tolist() == [prompt.kind == "stereotypical" for prompt in asked]


def test_words_are_read_from_the_term_on(
    prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def capture(_loaded: Any, texts: list[str], _sites: Any, layers: list[int]) -> Any:
        read.extend(texts)
        return {("resid_post", layer): planted(texts).numpy() for layer in layers}

    monkeypatch.setattr("evenkeel.evaluation.gating.capture_texts", capture)
    GateFitter(None, prompts, make_vectors()).fit("probe", make_vectors()[0])  # type: ignore[arg-type]
    expected = {"I met the nurse", "I met the nurse because", "The maid", "The maid saw"}
    assert expected <= set(read)
    assert not {"The", "I met the", "The sky", "That pilot", ""} & set(read)
