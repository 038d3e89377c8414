from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from concept_erasure import LeaceEraser
from sklearn.linear_model import LogisticRegression

from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.steering.from_vector import erasure_of
from evenkeel.tensor_files import write_tensor_folder
from evenkeel.vectors.erasers import Eraser, EraserSet
from evenkeel.vectors.leace import fit_eraser, fit_statement_eraser
from tests.probes.planted import FakeStore, planted_activations, planted_statements

FIELDS: dict[str, Any] = {"axis": "gender", "concept": "group", "site": "resid_post", "layer": 1}


def planted(rows: int = 600, classes: int = 2, gap: float = 2.0) -> tuple[Any, Any]:
    """Correlated, badly scaled activations whose mean depends on the class."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % classes
    mix = torch.randn(10, 10, generator=generator) * torch.logspace(-1, 1, 10)
    means = torch.randn(classes, 10, generator=generator) * gap
    x = torch.randn(rows, 10, generator=generator) @ mix + means[labels] + 5
    return x.double(), labels


def batched(x: Any, labels: Any, size: int) -> Iterator[tuple[Any, Any]]:
    yield from zip(x.split(size), labels.split(size), strict=True)


def accuracy(x: Any, labels: Any) -> float:
    half = len(x) // 2
    model = LogisticRegression(max_iter=10_000).fit(x[:half], labels[:half])
    return float(model.score(x[half:], labels[half:]))


@pytest.mark.parametrize("classes", [2, 3])
def test_class_means_are_equal_after_erasure_and_the_mean_is_kept(classes: int) -> None:
    x, labels = planted(classes=classes)
    eraser = fit_eraser([(x, labels)], classes, **FIELDS)
    assert eraser.proj_left.shape == (10, classes - 1)
    erased = erasure_of(eraser)(x)
    for label in range(classes):
        assert torch.allclose(erased[labels == label].mean(0), x.mean(0), atol=1e-4)
        assert not torch.allclose(x[labels == label].mean(0), x.mean(0), atol=0.1)


def test_a_weak_concept_is_erased_too() -> None:
    x, labels = planted(gap=0.01)
    erased = erasure_of(fit_eraser([(x, labels)], 2, **FIELDS))(x)
    assert torch.allclose(erased[labels == 0].mean(0), erased[labels == 1].mean(0), atol=1e-5)


def test_a_probe_succeeds_before_and_fails_after() -> None:
    x, labels = planted()
    erased = erasure_of(fit_eraser([(x, labels)], 2, **FIELDS))(x)
    assert accuracy(x, labels) > 0.9
    # A probe fitted to all of the erased data finds no better than the base rate, exactly.
    assert LogisticRegression(max_iter=10_000).fit(erased, labels).coef_ == pytest.approx(
        0, abs=1e-3
    )
    assert accuracy(erased, labels) < 0.65


def test_erasing_twice_is_erasing_once_and_changes_least() -> None:
    x, labels = planted()
    eraser = fit_eraser([(x, labels)], 2, **FIELDS)
    erased = erasure_of(eraser)(x)
    assert torch.allclose(erasure_of(eraser)(erased), erased, atol=1e-4)
    change = erased - x - (erased - x).mean(0)
    assert torch.linalg.matrix_rank(change, rtol=1e-3) == 1


def test_batches_of_any_size_give_the_eraser_of_the_whole() -> None:
    x, labels = planted()
    whole = LeaceEraser.fit(x, labels)
    for size in (600, 128, 7):
        eraser = fit_eraser(batched(x, labels, size), 2, **FIELDS)
        assert torch.allclose(erasure_of(eraser)(x), whole(x), rtol=1e-5, atol=1e-5)


def test_a_set_of_erasers_reads_back_exactly_and_is_selected_from(tmp_path: Path) -> None:
    one = fit_eraser([planted()], 2, **FIELDS, metadata={"rows": 600})
    other = fit_eraser([planted(gap=1.0)], 2, **(FIELDS | {"layer": 0, "sinks": "include"}))
    EraserSet.of([one, other]).save(tmp_path / "a")
    EraserSet.of([other, one]).save(tmp_path / "b")
    for name in ("record.json", "tensors.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    found = EraserSet.load(tmp_path / "a")
    for read, written in zip(found, (other, one), strict=True):
        assert read.record() == written.record()
        for name, tensor in written.tensors().items():
            assert torch.equal(read.tensors()[name], tensor)
    assert [eraser.layer for eraser in found.select(axis="gender", layer=1)] == [1]
    assert found.select(axis="age") == ()
    with pytest.raises(BadInputError, match="two erasers for gender/leace/group/resid_post/1"):
        EraserSet.of([one, one])


def test_an_erasure_acts_where_and_as_its_eraser_was_fitted() -> None:
    eraser = fit_eraser([planted()], 2, **(FIELDS | {"sinks": "include"}))
    erasure = erasure_of(eraser, positions="last")
    assert (erasure.point, erasure.sinks, erasure.positions) == (eraser.point, "include", "last")


def test_bad_erasers_are_refused(tmp_path: Path) -> None:
    x, labels = planted()
    with pytest.raises(BadInputError, match=r"rows by class are \[300, 0\]; at least two"):
        fit_eraser([(x[labels == 0], labels[labels == 0])], 2, **FIELDS)
    with pytest.raises(BadInputError, match=r"must be \[d_model, rank\]"):
        Eraser(torch.zeros(3, 1), torch.zeros(1, 4), torch.zeros(3), **FIELDS)
    with pytest.raises(BadInputError, match="a NaN or an infinity"):
        Eraser(torch.full((3, 1), torch.nan), torch.zeros(1, 3), torch.zeros(3), **FIELDS)
    write_tensor_folder(
        tmp_path / "e", {"x": torch.zeros(1)}, {"x": FIELDS}, kind="set of erasers", version=1
    )
    with pytest.raises(BadInputError, match="wrong fields"):
        EraserSet.load(tmp_path / "e")


@pytest.mark.parametrize("concept", ["label", "group"])
@pytest.mark.parametrize("batch_texts", [1024, 5])
def test_statement_erasers_are_fitted_on_the_axis_training_rows(
    concept: Any, batch_texts: int
) -> None:
    statements = planted_statements(("age", "gender"), quads=8)
    x = planted_activations(statements)
    store: Any = FakeStore(statements, {HookPoint("resid_post", 1): x})
    eraser = fit_statement_eraser(store, "gender", concept, "resid_post", 1, batch_texts)
    train = ((statements["axis"] == "gender") & (statements["split"] == "train")).to_numpy()
    sides = torch.from_numpy((statements[concept][train].isin(["biased", "men"])).to_numpy() * 1)
    kept = torch.from_numpy(x[train]).double()
    reference = LeaceEraser.fit(kept, sides)
    assert torch.allclose(erasure_of(eraser)(kept), reference(kept), atol=1e-4)
    assert eraser.metadata["rows"] == train.sum() == 32
    assert eraser.tokens_read == 3 * 32
    sorted_sides = ["men", "women"] if concept == "group" else ["biased", "neutral"]
    assert eraser.metadata["classes"] == sorted_sides


def test_all_tokens_of_a_statement_have_its_class() -> None:
    statements = planted_statements(quads=8)
    lengths = 1 + np.arange(len(statements)) % 3
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    per_text = planted_activations(statements)
    x = per_text.repeat(lengths, axis=0)
    x += np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
    store: Any = FakeStore(
        statements, {HookPoint("resid_post", 1): x}, "all", offsets, sinks="include"
    )
    train = (statements["split"] == "train").to_numpy()
    sides = (statements["group"] == "men").to_numpy()
    erased = [
        erasure_of(fit_statement_eraser(store, "gender", "group", "resid_post", 1, size))(
            torch.from_numpy(x)
        )
        for size in (1000, 5)
    ]
    assert torch.allclose(erased[0], erased[1], atol=1e-5)
    first, second = (
        erased[0][torch.from_numpy((train & side).repeat(lengths))].mean(0)
        for side in (sides, ~sides)
    )
    assert torch.allclose(first, second, atol=1e-4)
