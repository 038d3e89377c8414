import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.activations.checksums import row_checksums


@pytest.mark.parametrize("dtype", ["<f4", "<f2", "<u2"])
@given(st.data())
def test_any_flipped_bit_changes_its_rows_checksum_alone(dtype: str, data: st.DataObject) -> None:
    rows, width = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 20))
    bits = np.random.default_rng(data.draw(st.integers(0, 99))).bytes(rows * width * 4)
    values = np.frombuffer(bits, dtype)[: rows * width].reshape(rows, width).copy()
    before = row_checksums(values)
    byte = data.draw(st.integers(0, values.nbytes - 1))

    values.view(np.uint8).reshape(-1)[byte] ^= 1 << data.draw(st.integers(0, 7))

    row = byte // (width * values.itemsize)
    changed = row_checksums(values) != before
    assert changed[row]
    assert changed.sum() == 1


def test_swapped_values_are_seen() -> None:
    assert row_checksums(np.array([[1.0, 2.0]], "<f4")) != row_checksums(
        np.array([[2.0, 1.0]], "<f4")
    )


def test_zeros_have_a_checksum() -> None:
    assert (row_checksums(np.zeros((3, 4), "<f4")) != 0).all()
