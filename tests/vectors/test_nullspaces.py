"""INLP and SentenceDebias take out what is planted, and no more dimensions than they may."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from evenkeel.models.sites import HookPoint
from evenkeel.params import ModelShape, VectorsParams, load_params
from evenkeel.steering.from_vector import erasure_of
from evenkeel.vectors.erasers import Eraser
from evenkeel.vectors.nullspaces import fit_erasers, inlp, sentence_debias
from tests.probes.planted import FakeStore, planted_activations, planted_statements

POINT = HookPoint("resid_post", 1)


def planted(classes: int = 2, planted_in: int = 2, rows: int = 900) -> tuple[Any, Any]:
    """Noise of 12 dimensions; the class is told by `planted_in` of them."""
    generator = np.random.default_rng(0)
    labels = np.arange(rows) % classes
    x = generator.standard_normal((rows, 12))
    x[:, :planted_in] += 4 * generator.standard_normal((classes, planted_in))[labels]
    return x.astype(np.float32), [f"group {label}" for label in labels]


def accuracy(x: Any, labels: Any) -> float:
    half = len(x) // 2
    probe = LogisticRegression(max_iter=10_000).fit(x[:half], labels[:half])
    return float(probe.score(x[half:], labels[half:]))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_probe_is_at_chance_after_inlp_and_was_not_before(classes: int) -> None:
    x, labels = planted(classes)
    basis = inlp(x, labels, 6)
    left = x - x @ basis.T @ basis
    assert accuracy(x, labels) > 0.9
    assert accuracy(left, labels) < 1 / classes + 0.08


def test_inlp_goes_on_up_to_its_rank_and_stops_where_probes_find_nothing() -> None:
    x, labels = planted()
    for rank in (1, 3, 40):
        basis = inlp(x, labels, rank)
        assert len(basis) == rank if rank < 4 else 3 < len(basis) <= 12
        np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-6)
    np.testing.assert_allclose(inlp(x, labels, 2), inlp(x, labels, 3)[:2], atol=1e-6)


def test_sentence_debias_is_the_svd_of_what_differs_within_a_match() -> None:
    """Deviations from the mean of each match, as the paper has it, give the same subspace."""
    generator = np.random.default_rng(1)
    spread = np.diag([5.0, 3.0, 0.1, 0.1, 0.1])
    matches = generator.standard_normal((200, 3, 5)) @ spread
    deviations = (matches - matches.mean(axis=1, keepdims=True)).reshape(-1, 5)
    theirs = np.linalg.svd(deviations, full_matrices=False)[2][:2]
    pairs = [matches[:, a] - matches[:, b] for a in range(3) for b in range(3) if a != b]
    ours = sentence_debias(np.concatenate(pairs), 2)
    np.testing.assert_allclose(ours.T @ ours, theirs.T @ theirs, atol=1e-8)
    line = np.outer(generator.standard_normal(50), np.ones(5))
    assert sentence_debias(line, 4).shape == (1, 5), "differences along one direction have one"


@pytest.fixture
def erasers() -> dict[tuple[str, str], Eraser]:
    """By method and concept, of planted statements of three groups."""
    statements = planted_statements(quads=64, groups=("men", "women", "others"))
    x = planted_activations(statements, group=8.0, bias=8.0)
    x[:, 2] += 8 * (statements["group"] == "others")
    store: Any = FakeStore(statements, {POINT: x})
    store.model = {}
    shape = ModelShape(layers=6, d_model=128)
    (params,) = load_params(Path("params.yaml"), "vectors", model=shape)
    assert isinstance(params, VectorsParams)
    every = {
        "erasers": ["group", "label"],
        "eraser_methods": ["leace", "inlp", "sentence_debias"],
        "eraser_rank": 2,
    }
    found = fit_erasers(store, params.model_copy(update=every))
    return {(eraser.method, eraser.concept): eraser for eraser in found}


@pytest.mark.parametrize("method", ["leace", "inlp", "sentence_debias"])
@pytest.mark.parametrize("concept", ["group", "label"])
def test_every_eraser_takes_out_the_planted_dimensions_of_its_concept(
    erasers: dict[tuple[str, str], Eraser], method: str, concept: str
) -> None:
    eraser = erasers[method, concept]
    erase = erasure_of(eraser)
    assert eraser.proj_right.shape[0] <= 2
    planted = {"group": [1, 2], "label": [0]}[concept]
    kept = {"group": [0], "label": [1, 2]}[concept]
    moves = torch.eye(12)[planted + kept] * 8 + eraser.bias
    left = (erase(moves) - eraser.bias).norm(dim=1) / 8
    assert left[: len(planted)].max() < 0.45
    assert left[len(planted) :].min() > 0.7
    x = torch.randn(2, 5, 12)
    torch.testing.assert_close(erase(erase(x)), erase(x), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(erase(x)[1, 3], erase(x[1:, 3:4])[0, 0])
