from typing import Any

import numpy as np
import pytest

from evenkeel.activations.columns import columns_of, texts_of
from evenkeel.errors import BadInputError


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", None], ["a", ""]),
        ([["a", "b"], ("c",)], ["a|b", "c"]),
        (["a", 1], ["a", "1"]),
    ],
)
def test_strings(values: list[Any], expected: list[str]) -> None:
    assert columns_of([{"x": value} for value in values])["x"] == expected


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([1, 2], np.int64), ([1, 2.5, None], np.float64), ([True, False], np.bool_)],
)
def test_numbers_stay_numbers(values: list[Any], dtype: type) -> None:
    column = columns_of([{"x": value} for value in values])["x"]

    assert isinstance(column, np.ndarray)
    assert column.dtype == dtype
    np.testing.assert_array_equal(column, np.array(values, dtype))


def test_nested_objects_are_left_out() -> None:
    assert columns_of([{"text": "a", "meta": {"b": 1}}]) == {"text": ["a"]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a"}, {"text": "b", "id": 1}], r"text 4 \(from 0\) has the fields \['id', 'tex"),
        ([{"text": "a\0b"}], "field 'text' of text 3 .* NUL"),
        ([{"text": "\ud800"}], "half a surrogate pair"),
        ([{"text": "a", "offsets": 1}], "a field named 'offsets'"),
    ],
)
def test_rows_that_cannot_be_kept(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        columns_of(rows, first=3)


def test_a_row_without_text() -> None:
    with pytest.raises(BadInputError, match=r"text 1 .* no string in its field 'text'.*\['txt'\]"):
        texts_of([{"text": "a"}, {"txt": "b"}])
