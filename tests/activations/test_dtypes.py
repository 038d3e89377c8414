import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.activations.dtypes import first_not_finite, from_stored, refuse_not_finite, to_host
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint

POINT = HookPoint("resid_post", 0)
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_what_is_read_is_what_torch_rounds_to(dtype: str) -> None:
    rows = torch.randn(7, 5) * 100

    stored = to_host({POINT: rows}, dtype)[POINT]

    expected = rows.to(getattr(torch, dtype)).float().numpy()
    np.testing.assert_array_equal(from_stored(stored, dtype), expected)


@given(
    st.lists(st.lists(FINITE, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from([np.inf, -np.inf, np.nan]),
    st.data(),
)
def test_the_first_value_that_is_not_finite_is_found(
    values: list[list[float]], bad: float, data: st.DataObject
) -> None:
    rows = np.array(values, np.float32)
    assert first_not_finite(rows, "float32") is None  # though the sum of a row may overflow

    row = data.draw(st.integers(0, len(rows) - 1))
    rows[row:, data.draw(st.integers(0, 2))] = bad

    assert first_not_finite(rows, "float32") == row


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_all_types_are_checked(dtype: str, bad: float) -> None:
    rows = torch.zeros(4, 3)
    rows[2, 1] = bad

    assert first_not_finite(to_host({POINT: rows}, dtype)[POINT], dtype) == 2


def test_overflow_of_float16_says_so() -> None:
    stored = to_host({POINT: torch.tensor([[1.0], [70000.0]])}, "float16")[POINT]

    with pytest.raises(BadInputError, match=r"mlp_out of layer 4, text 9 .* passes 65504"):
        refuse_not_finite(stored, "float16", "mlp_out of layer 4", np.array([8, 9]))
