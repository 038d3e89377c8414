import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from evenkeel.vectors.directions import cosine, mean_difference, principal_difference


def test_the_principal_difference_is_the_eigenvector_of_pairs_around_their_middle() -> None:
    """Bolukbasi's definition, straight: centre each pair on its mean, covariance, eigenvector."""
    generator = np.random.default_rng(0)
    left, right = generator.standard_normal((2, 40, 6))
    left[:, 2] += 4
    middle = (left + right) / 2
    rows = np.concatenate([left - middle, right - middle])
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    found = principal_difference(left - right)
    assert abs(cosine(found, vectors[:, -1])) == pytest.approx(1)
    # Each half-difference enters twice: the variance is a quarter of the squared length.
    assert np.linalg.norm(found) == pytest.approx(2 * np.sqrt(values[-1]))
    assert found[2] > 0


def test_the_principal_difference_follows_the_mean_and_agrees_with_sklearn() -> None:
    generator = np.random.default_rng(0)
    differences = generator.standard_normal((30, 5))
    differences[:, 1] += 3
    found = principal_difference(differences)
    assert found @ mean_difference(differences) > 0
    assert principal_difference(-differences) == pytest.approx(-found)
    reference = TruncatedSVD(1, algorithm="arpack").fit(differences).components_[0]
    assert abs(cosine(found, reference)) == pytest.approx(1)


def test_identical_differences_are_their_own_principal_component() -> None:
    difference = np.array([3.0, -4.0, 0.0])
    assert principal_difference(np.tile(difference, (7, 1))) == pytest.approx(difference)
