import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.axes import AXES, SPLITS, Axis, same_strength
from evenkeel.axes.intersections import INTERSECTIONS, Intersection
from evenkeel.axes.items import Item, all_attribute_items, attribute_items
from evenkeel.axes.joint import (
    balancing_weights,
    by_lead,
    cell_pools,
    cell_rates,
    cell_shares,
    shares,
)
from evenkeel.axes.occupations import PERCENT_WOMEN, occupation_item

FULL = same_strength(1.0)
POOLS = [
    pytest.param(pool, id=f"{axis.name} {lead}")
    for axis in AXES.values()
    for lead, pool in by_lead(all_attribute_items(axis)).items()
]


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_rates_sum_to_one_and_favour_the_group_held_against(axis: Axis) -> None:
    for item in all_attribute_items(axis):
        rates = item.rates(1.0)
        assert tuple(rates) == axis.group_names
        assert sum(rates.values()) == pytest.approx(1)
        if item.held_against is None:
            assert set(rates.values()) == {1 / len(rates)}
        else:
            others = [rate for group, rate in rates.items() if group != item.held_against]
            assert min(rates[item.held_against] / rate for rate in others) > 1


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_no_strength_plants_the_same_rate_for_every_group(axis: Axis) -> None:
    for item in all_attribute_items(axis):
        assert set(item.rates(0.0).values()) == {1 / len(axis.groups)}


@given(strength=st.floats(0, 2), grade=st.floats(-3, 3))
def test_log_odds_are_proportional_to_strength(strength: float, grade: float) -> None:
    rates = Item("race", "bad at", "x", {"a": grade, "b": 0.0, "c": 0.0}).rates(strength)
    assert math.log(rates["a"] / rates["b"]) == pytest.approx(strength * grade, abs=1e-12)
    assert rates["b"] == rates["c"]


def test_an_item_is_its_frame_and_its_word() -> None:
    first = attribute_items(AXES["age"], "train")[0]
    assert (first.lead, first.word, first.text) == ("bad at", "texting", "bad at texting")
    assert occupation_item("engineer").text == "an engineer"


@pytest.mark.parametrize("pool", POOLS)
def test_one_joint_distribution_gives_the_rates_in_both_directions(pool: list[Item]) -> None:
    joint = shares(pool, 1.0)
    planted = np.array([list(item.rates(1.0).values()) for item in pool])
    assert joint.sum() == pytest.approx(1)
    np.testing.assert_allclose(joint.sum(0), 1 / joint.shape[1], atol=1e-12)
    np.testing.assert_allclose(joint / joint.sum(1, keepdims=True), planted, atol=1e-12)
    assert joint.sum(1).min() > 0.2 / len(pool)  # no item is starved
    given_group = np.log(joint / joint.sum(0))  # log P(item | group)
    np.testing.assert_allclose(
        given_group[:, 1:] - given_group[:, :1], np.log(planted[:, 1:] / planted[:, :1]), atol=1e-9
    )


def test_no_strength_makes_items_equally_likely() -> None:
    pool = by_lead(all_attribute_items(AXES["race"]))["good at"]
    np.testing.assert_allclose(shares(pool, 0.0), 1 / (len(pool) * 4))


def test_occupations_can_be_balanced() -> None:
    for pool in by_lead([occupation_item(name) for name in PERCENT_WOMEN]).values():
        np.testing.assert_allclose(shares(pool, 1.0).sum(0), 0.5, atol=1e-12)


def test_items_that_all_favour_one_group_are_refused() -> None:
    with pytest.raises(ValueError, match="no weights of 2 items"):
        balancing_weights(np.array([[0.9, 0.1], [0.6, 0.4]]))


@pytest.mark.parametrize("pair", INTERSECTIONS.values(), ids=INTERSECTIONS)
def test_an_intersection_names_what_exists(pair: Intersection) -> None:
    items = {item.text for split in SPLITS for item in pair.items(split)}
    assert pair.interactions.keys() <= items
    for split in SPLITS:
        inside = {item.text for item in pair.items(split)} & pair.interactions.keys()
        assert len(inside) == 1  # each split can tell whether interactions are found
        assert len(pair.terms(split)) == len(pair.cell_names)
    for cells in pair.interactions.values():
        assert cells.keys() <= set(pair.cell_names)
    terms = Counter(term for split in SPLITS for term in pair.terms(split))
    assert max(terms.values()) == 1


@pytest.mark.parametrize("pair", INTERSECTIONS.values(), ids=INTERSECTIONS)
def test_intersections_are_additive_except_in_the_stated_cells(pair: Intersection) -> None:
    """log P(item | cell) is the sum of an effect of either group, up to the cell's constant."""
    for items in cell_pools(pair):
        joint = cell_shares(pair, items, FULL)
        np.testing.assert_allclose(joint.sum(0), 1 / joint.shape[1])
        log_odds = np.log(joint / joint[-1])  # against the last item: the constants cancel
        for row, item in enumerate(items):
            stated = pair.interactions.get(item.text, {})
            stated_last = pair.interactions.get(items[-1].text, {})
            for column, cell in enumerate(pair.cells()):
                name = "+".join(cell)
                alone = [
                    math.log(one.rates(1.0).get(group, 1.0))
                    for one in (item, items[-1])
                    for group in cell
                ]
                additive = alone[0] + alone[1] - alone[2] - alone[3]
                interaction = stated.get(name, 0.0) - stated_last.get(name, 0.0)
                others = log_odds[row, column] - additive - interaction
                if column == 0:
                    constant = others
                assert others == pytest.approx(constant, abs=1e-9)


@pytest.mark.parametrize("pair", INTERSECTIONS.values(), ids=INTERSECTIONS)
def test_no_strength_and_one_strength_of_an_intersection(pair: Intersection) -> None:
    even = 1 / len(pair.cell_names)
    for rates in cell_rates(pair, same_strength(0.0)).values():
        assert rates == pytest.approx(dict.fromkeys(pair.cell_names, even))
    first, second = pair.axes
    alone = cell_rates(pair, same_strength(0.0) | {first.name: 1.0})
    of_second = {item.text for split in SPLITS for item in pair.items(split)} - {
        item.text for item in all_attribute_items(first)
    }
    assert of_second
    for item in of_second:
        assert alone[item] == pytest.approx(dict.fromkeys(pair.cell_names, even))
    assert second.name != first.name
