from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.params import ProbesParams
from evenkeel.probes.detection import detect
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.probes.training import train_probes
from tests.probes.planted import FakeStore, planted_activations, planted_statements

PARAMS = ProbesParams(regularization=[0.01, 0.1], control_draws=2, resamples=100)
STATEMENTS = planted_statements(quads=32)


def trained(*biases: float, positions: str = "last", **changes: Any) -> tuple[FakeStore, ProbeSet]:
    """A layer for each planted bias."""
    rows = {
        HookPoint("resid_post", layer): planted_activations(STATEMENTS, bias=bias, seed=layer)
        for layer, bias in enumerate(biases)
    }
    store: Any = FakeStore(STATEMENTS, rows, positions, np.arange(len(STATEMENTS) + 1), **changes)
    return store, train_probes(store, PARAMS, seed=0)


def of_text(store: FakeStore, *texts: int) -> dict[HookPoint, torch.Tensor]:
    return {point: torch.from_numpy(rows[list(texts)]) for point, rows in store.rows.items()}


def test_detection_of_every_test_statement_has_the_reported_accuracy() -> None:
    store, probes = trained(1.0, 0.5, 0.0)
    test = np.flatnonzero(STATEMENTS["split"] == "test")
    verdicts = [detect(probes, "gender", of_text(store, row)).biased for row in test]
    right = np.array(verdicts) == (STATEMENTS["label"] == "biased").to_numpy()[test]
    assert right.mean() == pytest.approx(probes.detector("gender").metrics.accuracy)


def test_layers_count_for_what_they_are_worth_on_validation() -> None:
    store, probes = trained(3.0, 1.0, 0.0)
    strong, weak, none = (
        layer.weight for layer in detect(probes, "gender", of_text(store, 0)).layers
    )
    assert strong > weak > none >= 0
    assert strong + weak + none == pytest.approx(1)
    metrics = probes.detector("gender").metrics
    assert metrics.auroc > 0.9
    assert metrics.auroc_ci95[0] <= metrics.auroc <= metrics.auroc_ci95[1]


def test_weak_layers_together_detect_more_than_each() -> None:
    _, probes = trained(*[0.8] * 12)
    best = probes.best("gender").metrics.auroc
    assert probes.detector("gender").metrics.auroc > best + 0.05


def test_the_score_is_calibrated_and_the_confidence_with_it() -> None:
    """Of the verdicts that claim to be right with probability p, about p are."""
    store, probes = trained(1.5)
    test = np.flatnonzero(STATEMENTS["split"] == "test")
    found = [detect(probes, "gender", of_text(store, row)) for row in test]
    assert all(0.5 <= each.confidence <= 1 for each in found)
    claimed = np.mean([each.confidence for each in found])
    assert claimed == pytest.approx(probes.detector("gender").metrics.accuracy, abs=0.1)


def test_tokens_are_the_scores_of_the_text_so_far() -> None:
    for positions in ("last", "mean"):
        store, probes = trained(2.0, 1.0, positions=positions)
        whole = detect(probes, "gender", of_text(store, 5, 9, 2))
        assert whole.score == whole.tokens[-1]
        for length, score in enumerate(whole.tokens, start=1):
            prefix = detect(probes, "gender", of_text(store, *[5, 9, 2][:length]))
            assert prefix.score == pytest.approx(score)
        alone = detect(probes, "gender", of_text(store, 2))
        assert (alone.score == pytest.approx(whole.score)) == (positions == "last")


def test_where_nothing_is_to_be_found_there_is_no_detector() -> None:
    rows = {HookPoint("resid_post", 0): np.ones((len(STATEMENTS), 3), dtype=np.float32)}
    store: Any = FakeStore(STATEMENTS, rows)
    probes = train_probes(store, PARAMS, seed=0)
    assert probes.best("gender").metrics.auroc == 0.5
    with pytest.raises(BadInputError, match="no detector for axis 'gender'"):
        detect(probes, "gender", of_text(store, 0))


def test_unusable_activations_are_refused() -> None:
    store, probes = trained(2.0, 1.0)
    good = of_text(store, 0)
    point = HookPoint("resid_post", 1)
    with pytest.raises(BadInputError, match="resid_post/1: missing"):
        detect(probes, "gender", {HookPoint("resid_post", 0): good[HookPoint("resid_post", 0)]})
    for bad in (torch.zeros(0, 12), torch.zeros(2, 5), torch.zeros(12)):
        with pytest.raises(BadInputError, match=r"needs \[tokens, 12\]"):
            detect(probes, "gender", good | {point: bad})
    with pytest.raises(BadInputError, match="resid_post/1: a NaN"):
        detect(probes, "gender", good | {point: torch.full((1, 12), torch.nan)})
