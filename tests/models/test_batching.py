import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.models.batching import MAX_PADDING, plan_batches


@given(st.lists(st.integers(1, 200), min_size=1, max_size=300), st.integers(16, 2000))
def test_each_text_once_within_budget_with_little_padding(lengths: list[int], budget: int) -> None:
    array = np.array(lengths)

    batches = plan_batches(array, budget)

    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        padded = array[batch].max() * len(batch)
        assert padded <= budget or len(batch) == 1
        assert padded - array[batch].sum() <= MAX_PADDING * padded


def test_texts_of_one_length_fill_the_budget() -> None:
    assert [len(batch) for batch in plan_batches(np.full(100, 10), 400)] == [40, 40, 20]


def test_the_longest_come_first() -> None:
    assert [batch.tolist() for batch in plan_batches(np.array([3, 9, 9, 30]), 100)] == [
        [3],
        [1, 2],
        [0],
    ]
