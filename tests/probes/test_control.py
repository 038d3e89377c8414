import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.probes.control import control_labels


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40), st.integers(0, 99))
def test_labels_are_constant_on_attributes_and_split_them_in_half(
    attributes: list[str], seed: int
) -> None:
    labels = control_labels(attributes, np.random.default_rng(seed))
    by_attribute = dict(zip(attributes, labels, strict=True))
    assert all(by_attribute[name] == label for name, label in zip(attributes, labels, strict=True))
    positive = sum(by_attribute.values())
    assert abs(2 * positive - len(by_attribute)) <= 1


def test_labels_are_random() -> None:
    attributes = [f"a{i}" for i in range(10)]
    generator = np.random.default_rng(0)
    draws = np.array([control_labels(attributes, generator) for _ in range(2000)])
    assert draws.mean(axis=0) == pytest.approx(0.5, abs=0.05)
