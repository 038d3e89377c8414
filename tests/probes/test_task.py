import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.probes.probe import Probe
from evenkeel.probes.statements import text_activations
from evenkeel.probes.task import ProbeTask
from tests.probes.planted import (
    FakeStore,
    fit_settings,
    planted_activations,
    planted_statements,
)


def train(statements: pd.DataFrame, x: np.ndarray, **changes: Any) -> Probe:
    task = ProbeTask.of(statements, "gender", **fit_settings(**changes))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return task.probe(x, site="resid_post", layer=1, regularization=[0.001, 0.01, 0.1])


def test_a_planted_direction_is_found() -> None:
    statements = planted_statements()
    probe = train(statements, planted_activations(statements))
    assert probe.key == ("gender", "resid_post", 1)
    assert float(probe.weight[0] / probe.weight.norm()) > 0.9  # biased is positive
    metrics = probe.metrics
    assert metrics.auroc > 0.95
    assert metrics.accuracy > 0.85
    assert metrics.auroc_ci95[0] <= metrics.auroc <= metrics.auroc_ci95[1]
    assert metrics.accuracy_ci95[0] <= metrics.accuracy <= metrics.accuracy_ci95[1]
    assert metrics.selectivity == pytest.approx(metrics.accuracy - metrics.control_accuracy)
    assert (metrics.n_train, metrics.n_validation, metrics.n_test) == (64, 64, 64)


def test_saved_scores_give_the_reported_test_accuracy() -> None:
    statements = planted_statements()
    x = planted_activations(statements, bias=1.0)
    probe = train(statements, x)
    test = (statements["split"] == "test").to_numpy()
    positive = (statements["label"] == "biased").to_numpy()[test]
    right = (probe.scores(torch.from_numpy(x[test])) > 0).numpy() == positive
    assert right.mean() == pytest.approx(probe.metrics.accuracy)


def test_noise_stays_at_chance_and_so_does_the_control() -> None:
    statements = planted_statements(terms=30, quads=120)
    noise = planted_activations(statements, bias=0, group=0, seed=3)
    metrics = train(statements, noise, control_draws=20).metrics
    assert metrics.auroc == pytest.approx(0.5, abs=0.1)
    assert metrics.control_accuracy == pytest.approx(0.5, abs=0.05)
    assert metrics.auroc_ci95[0] < 0.5 < metrics.auroc_ci95[1]


def test_the_control_tells_a_probe_that_can_memorize_terms() -> None:
    """Each attribute gets a code of its own: random labels fit in train and fail in test."""
    statements = planted_statements()
    attributes = [joined.split("|")[1] for joined in statements["terms"]]
    codes = {
        name: np.random.default_rng(number).standard_normal(200)
        for number, name in enumerate(sorted(set(attributes)))
    }
    x = np.array([codes[name] for name in attributes], dtype=np.float32)
    metrics = train(statements, x, control_draws=20).metrics
    assert metrics.control_train_accuracy > 0.99
    assert metrics.control_accuracy == pytest.approx(0.5, abs=0.1)


def test_the_order_of_statements_and_a_constant_change_nothing() -> None:
    statements = planted_statements()
    x = planted_activations(statements, bias=1.0)
    order = np.random.default_rng(0).permutation(len(statements))
    reference = train(statements, x)
    shuffled = train(statements.iloc[order].reset_index(drop=True), x[order])
    moved = train(statements, x + np.float32(8))
    for other in (shuffled, moved):
        assert torch.allclose(other.weight, reference.weight, atol=1e-4)
        assert other.metrics.accuracy == pytest.approx(reference.metrics.accuracy)
        assert other.metrics.auroc == pytest.approx(reference.metrics.auroc, abs=2e-3)
        assert other.metrics.control_accuracy == pytest.approx(
            reference.metrics.control_accuracy, abs=0.02
        )


def test_other_axes_have_no_say() -> None:
    statements = planted_statements(("age", "gender"))
    x = planted_activations(statements)
    mine = (statements["axis"] == "gender").to_numpy()
    alone = train(statements[mine].reset_index(drop=True), x[mine])
    assert torch.equal(train(statements, x).weight, alone.weight)
    assert train(statements, x).metrics == alone.metrics


def test_unusable_statements_are_refused_by_axis_and_split() -> None:
    statements = planted_statements()
    with pytest.raises(BadInputError, match="axis 'race', split 'test': none"):
        ProbeTask.of(statements, "race", **fit_settings())
    no_validation = statements[statements["split"] != "validation"]
    with pytest.raises(BadInputError, match="split 'validation': none"):
        ProbeTask.of(no_validation, "gender", **fit_settings())
    one_class = statements[(statements["split"] != "train") | (statements["label"] == "biased")]
    with pytest.raises(BadInputError, match="split 'train': all are biased"):
        ProbeTask.of(one_class, "gender", **fit_settings())
    one_term = statements.assign(terms="man|kind")
    with pytest.raises(BadInputError, match="one attribute only"):
        ProbeTask.of(one_term, "gender", **fit_settings())


@pytest.mark.parametrize(("sinks", "left_out"), [("exclude", 1), ("include", 0)])
def test_all_token_stores_are_pooled_by_mean(sinks: str, left_out: int) -> None:
    texts = planted_statements(quads=1)
    lengths = np.arange(1, len(texts) + 1)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.random.default_rng(0).standard_normal((offsets[-1], 5)).astype(np.float32)
    store = FakeStore(texts, {HookPoint("resid_post", 0): rows}, "all", offsets, sinks)
    pooled = text_activations(store, "resid_post", 0)
    # A text of one token is pooled to that token.
    expected = [rows[min(a + left_out, b - 1) : b].mean(axis=0) for a, b in pairwise(offsets)]
    assert pooled == pytest.approx(np.array(expected), abs=1e-6)
    store.positions = "last"
    assert (text_activations(store, "resid_post", 0) == rows).all()


def test_non_finite_activations_are_refused() -> None:
    rows = np.array([[1.0, np.inf]], dtype=np.float32)
    store = FakeStore(planted_statements(quads=1), {HookPoint("mlp_out", 2): rows})
    with pytest.raises(BadInputError, match="activations mlp_out/2: a NaN or an infinity"):
        text_activations(store, "mlp_out", 2)
