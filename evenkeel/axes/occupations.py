"""Occupations, the share of women in each, and which split each belongs to."""

import math
import random
from collections.abc import Mapping

from evenkeel.axes.axis import SPLITS, Split
from evenkeel.axes.items import Item

PERCENT_WOMEN: Mapping[str, float] = {
    "plumber": 0.7,
    "mechanic": 1.8,
    "carpenter": 2.07,
    "electrician": 2.3,
    "firefighter": 3.5,
    "painter": 5.7,
    "inspector": 6.4,
    "machinist": 6.7,
    "engineer": 10.72,
    "programmer": 18.35,
    "chef": 19.6,
    "architect": 20.81,
    "officer": 30.42,
    "paramedic": 32.9,
    "janitor": 34.3,
    "lawyer": 34.5,
    "chemist": 36.1,
    "advisor": 37.9,
    "doctor": 37.9,
    "physician": 37.9,
    "surgeon": 37.9,
    "worker": 37.92,
    "manager": 38.51,
    "supervisor": 38.64,
    "technician": 40.34,
    "specialist": 41.35,
    "scientist": 41.94,
    "investigator": 45.15,
    "salesperson": 48.08,
    "appraiser": 52.24,
    "administrator": 54.86,
    "broker": 55.5,
    "dispatcher": 56.3,
    "pharmacist": 57.0,
    "accountant": 59.7,
    "auditor": 59.7,
    "bartender": 59.8,
    "veterinarian": 60.5,
    "baker": 60.8,
    "instructor": 62.3,
    "examiner": 62.46,
    "counselor": 66.48,
    "clerk": 69.53,
    "psychologist": 70.3,
    "educator": 70.8,
    "teacher": 71.0,
    "cashier": 72.5,
    "practitioner": 74.79,
    "therapist": 76.7,
    "planner": 77.6,
    "librarian": 83.0,
    "paralegal": 85.4,
    "nurse": 89.58,
    "receptionist": 90.6,
    "hairdresser": 94.2,
    "dietitian": 94.6,
    "nutritionist": 94.6,
    "secretary": 94.6,
    "hygienist": 96.4,
    "pathologist": 97.5,
}
"""Per cent of women among those employed in the United States, by occupation, ascending.

Source: US Bureau of Labor Statistics, Current Population Survey, annual averages of 2015 and 2016,
for the 60 occupations of Rudinger et al. (2018), "Gender Bias in Coreference Resolution".
"""


HELD_AGAINST = 0.6
"""Share from which an occupation counts as expected of a group."""


def occupation_item(occupation: str) -> Item:
    """The occupation as something to say of a person ("a nurse"), its log-odds as counted."""
    share = PERCENT_WOMEN[occupation] / 100
    majority = "female" if share >= HELD_AGAINST else "male" if share <= 1 - HELD_AGAINST else None
    return Item(
        axis="gender",
        lead="an" if occupation[0] in "aeiou" else "a",
        word=occupation,
        log_odds={"female": math.log(share / (1 - share)), "male": 0.0},
        held_against=majority,
    )


def occupation_splits(seed: int) -> dict[str, Split]:
    """A split for each occupation, 20 each, stratified by share.

    Neighbors in share go to different splits, so that each split spans the whole range.
    """
    rng = random.Random(f"{seed}/occupations")
    occupations = sorted(PERCENT_WOMEN, key=lambda name: (PERCENT_WOMEN[name], name))
    splits: dict[str, Split] = {}
    for start in range(0, len(occupations), len(SPLITS)):
        block = occupations[start : start + len(SPLITS)]
        splits.update(zip(block, rng.sample(SPLITS, len(block)), strict=True))
    return splits
