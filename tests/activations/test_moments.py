import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.activations.moments import MomentsFitter


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6).filter(lambda cuts: sum(cuts) > 1))
def test_in_pieces_as_in_one(sizes: list[int]) -> None:
    generator = np.random.default_rng(sum(sizes))
    # A mean of a thousand standard deviations, as some dimensions of the stream have.
    rows = generator.normal(size=(sum(sizes), 5)) + 1000
    fitter = MomentsFitter(5)

    for piece in np.split(rows, np.cumsum(sizes)[:-1]):
        fitter.update(piece)

    moments = fitter.result()
    assert moments.count == len(rows)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(rows.T), rtol=1e-8, atol=1e-10)


def test_with_labels_it_is_what_leace_needs() -> None:
    concept_erasure = pytest.importorskip("concept_erasure")
    generator = np.random.default_rng(0)
    labels = np.eye(3)[generator.integers(0, 3, 200)]
    rows = generator.normal(size=(200, 6)) + labels @ generator.normal(size=(3, 6))
    fitter = MomentsFitter(6, 3)
    theirs = concept_erasure.LeaceFitter(
        6, 3, dtype=torch.float64, shrinkage=False, affine=True, constrain_cov_trace=False
    )

    for at in range(0, 200, 70):
        fitter.update(rows[at : at + 70], labels[at : at + 70])
        theirs.update(torch.from_numpy(rows[at : at + 70]), torch.from_numpy(labels[at : at + 70]))

    ours = fitter.result()
    np.testing.assert_allclose(ours.covariance, theirs.sigma_xx.numpy(), rtol=1e-10)
    np.testing.assert_allclose(ours.cross_covariance, theirs.sigma_xz.numpy(), rtol=1e-10)
    np.testing.assert_allclose(ours.label_mean, labels.mean(axis=0))


def test_too_few_rows_and_wrong_widths() -> None:
    fitter = MomentsFitter(2, 1)
    with pytest.raises(ValueError, match=r"3 values and 0 labels were given, .* takes 2 and 1"):
        fitter.update(np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"needs two rows; update.. was given 0"):
        fitter.result()
