import math
from statistics import mean

import pytest

from evenkeel.axes import SPLITS
from evenkeel.axes.occupations import PERCENT_WOMEN, occupation_item, occupation_splits


def test_there_are_sixty_occupations_with_a_share() -> None:
    assert len(PERCENT_WOMEN) == 60
    assert all(0 < percent < 100 for percent in PERCENT_WOMEN.values())


def planted_share(occupation: str, strength: float) -> float:
    return occupation_item(occupation).rates(strength)["female"]


def test_full_strength_plants_the_reported_share() -> None:
    assert planted_share("nurse", 1.0) == pytest.approx(0.8958)
    assert planted_share("plumber", 1.0) == pytest.approx(0.007)


def test_no_strength_plants_one_half() -> None:
    assert {planted_share(occupation, 0.0) for occupation in PERCENT_WOMEN} == {0.5}


@pytest.mark.parametrize("strength", [0.25, 0.5])
def test_log_odds_are_proportional_to_strength(strength: float) -> None:
    for occupation in PERCENT_WOMEN:
        share, planted = (planted_share(occupation, s) for s in (1.0, strength))
        assert math.log(planted / (1 - planted)) == pytest.approx(
            strength * math.log(share / (1 - share))
        )


def test_an_occupation_is_held_against_a_clear_majority_only() -> None:
    against = {name: occupation_item(name).held_against for name in PERCENT_WOMEN}
    assert against["nurse"] == "female"
    assert against["plumber"] == "male"
    assert against["broker"] is None  # 55.5 per cent


def test_splits_have_twenty_occupations_each_and_like_shares() -> None:
    for seed in range(5):
        splits = occupation_splits(seed)
        assert splits.keys() == PERCENT_WOMEN.keys()
        shares = {
            split: [PERCENT_WOMEN[name] for name in splits if splits[name] == split]
            for split in SPLITS
        }
        assert [len(values) for values in shares.values()] == [20, 20, 20]
        means = [mean(values) for values in shares.values()]
        assert max(means) - min(means) < 3


def test_the_seed_decides_the_splits() -> None:
    assert occupation_splits(0) == occupation_splits(0)
    assert occupation_splits(0) != occupation_splits(1)
