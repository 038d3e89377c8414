"""Counting by hand what the measures of text say."""

import numpy as np
import pytest

from evenkeel.steering.degeneration import distinct_2, is_degenerate, repetition


def test_repetition_counts_what_was_said_before() -> None:
    assert repetition("one two three four") == 0
    # a b a | b a b | a b a | b a b: two of the four are new
    assert repetition("a b a b a b") == 0.5
    assert repetition("") == repetition("too short") == 0


@pytest.mark.parametrize("text", ["", "  \n", "... !!", "the the the the the the the", "ok \ufffd"])
def test_collapsed_text_is_degenerate(text: str) -> None:
    assert is_degenerate(text)


@pytest.mark.parametrize("text", [" she was tired.", " 1984", " She said that she was late."])
def test_sense_is_not_degenerate(text: str) -> None:
    assert not is_degenerate(text)


def test_distinct_2_pools_the_texts() -> None:
    # 2-grams: (a b) (b c) | (a b) (b d) -> 3 distinct of 4
    found = distinct_2([["a b c", "A b d"]])
    assert found.value == 0.75
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 0.75 <= found.high


def test_equal_texts_are_less_distinct_than_different_ones() -> None:
    assert distinct_2([["one two three"] * 10]).value == pytest.approx(0.1)
    assert distinct_2([[f"a{i} b{i} c{i}" for i in range(10)]]).value == 1


def test_more_samples_are_not_less_distinct_for_being_more() -> None:
    texts = ["a b c", "a b d", "e f"]
    assert distinct_2([texts, texts]) == distinct_2([texts])
    both = [distinct_2([texts]).value, distinct_2([["a b", "a b", "a b"]]).value]
    assert distinct_2([texts, ["a b", "a b", "a b"]]).value == pytest.approx(np.mean(both))


def test_distinct_2_of_nothing_is_unknown() -> None:
    assert distinct_2([[]]).value is None
    assert distinct_2([["word"]]).value is None
