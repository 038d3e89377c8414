from typing import Any

import numpy as np
import pandas as pd
import pytest

from evenkeel.errors import BadInputError
from evenkeel.probes.task import ProbeTask
from evenkeel.vectors.task import Computed, VectorTask
from tests.probes.planted import fit_settings, planted_activations, planted_statements

METHODS = ["caa", "group", "term", "pca", "probe", "actadd"]


def compute(statements: pd.DataFrame, x: np.ndarray, **changes: Any) -> dict[str, Computed]:
    probe = ProbeTask.of(statements, "gender", **fit_settings()).probe(
        x, site="resid_post", layer=3, regularization=[0.01]
    )
    task = VectorTask.of(statements, "gender", resamples=200, seed=0)
    arguments: dict[str, Any] = {
        "methods": METHODS,
        "streams": x,
        "sinks": "exclude",
        "probe": probe,
        "actadd": np.eye(x.shape[1], dtype=np.float32)[1] * 2,
        "group_terms": np.roll(x, 1, axis=1),  # the groups differ along dimension 2 there
        "tokens": np.full(len(x), 7),
        "tokens_trained": {"bipo": 500},
        "metadata": {"seed": 0},
    }
    results = task.compute(x, site="resid_post", layer=3, **(arguments | changes))
    return {result.method: result for result in results}


def test_each_method_finds_its_planted_direction_in_its_sense() -> None:
    statements = planted_statements(quads=32)
    found = compute(statements, planted_activations(statements, bias=4, group=4))
    assert list(found) == METHODS
    for method, dimension, sign in [
        ("caa", 0, -1),  # dimension 0 is biased, and caa points to neutral
        ("probe", 0, -1),
        ("group", 1, 1),  # dimension 1 is men, the first group
        ("term", 2, 1),
        ("pca", 1, 1),
        ("actadd", 1, 1),
    ]:
        vector = found[method].vector
        assert vector is not None
        assert sign * float(vector.direction[dimension]) > 0.85, method
        assert vector.key == ("gender", method, "resid_post", 3)
        assert vector.separation is not None
        assert vector.separation.auroc > 0.9, method
        read = None if method == "actadd" else 128 * 7
        assert vector.metadata == {"seed": 0, "statements": 128, "tokens_read": read}


def test_relative_norms_are_in_units_of_the_stream() -> None:
    statements = planted_statements()
    x = planted_activations(statements, bias=4, group=4, noise=0.2)
    found = compute(statements, x)
    train = (statements["split"] == "train").to_numpy()
    stream_norm = np.linalg.norm(x[train], axis=1).mean()
    for method in METHODS:
        vector = found[method].vector
        assert vector is not None
        assert vector.stream_norm == pytest.approx(stream_norm)
        if method != "probe":
            expected = 2 if method == "actadd" else 4
            assert found[method].relative_norm == pytest.approx(expected / stream_norm, rel=0.03)
    assert 0 < found["probe"].relative_norm <= found["caa"].relative_norm


def test_cosines_are_with_the_group_vector() -> None:
    statements = planted_statements()
    found = compute(statements, planted_activations(statements))
    group = found["group"].vector
    assert group is not None
    for result in found.values():
        assert result.vector is not None
        expected = float(result.vector.direction @ group.direction)
        assert result.cosine_with_group == pytest.approx(expected, abs=1e-5)
    assert found["group"].cosine_with_group == pytest.approx(1)


def test_only_what_is_asked_for_is_computed_and_the_rest_is_not_needed() -> None:
    statements = planted_statements()
    x = planted_activations(statements)
    assert list(compute(statements, x, methods=["pca"], probe=None, actadd=None)) == ["pca"]


def test_where_nothing_differs_there_is_no_vector_and_the_row_says_so() -> None:
    statements = planted_statements()
    x = np.ones((len(statements), 4), dtype=np.float32)
    found = compute(statements, x, actadd=np.zeros(4, dtype=np.float32))
    for result in found.values():
        assert result.vector is None
        row = result.row()
        assert row["relative_norm"] == 0
        assert row["separation_auroc"] is None
        assert row["cosine_with_group"] is None


def test_a_stream_of_zeros_is_refused() -> None:
    statements = planted_statements()
    with pytest.raises(BadInputError, match="resid_post/3: all are zero"):
        compute(statements, np.zeros((len(statements), 4), dtype=np.float32))
