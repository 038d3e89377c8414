"""Older and younger people.

A retiree, a grandparent, a student, a grandchild are likely old or young, but not by definition;
they are not here.
"""

from evenkeel.axes.axis import Attribute, Axis, Group

AGE = Axis(
    name="age",
    groups=(
        Group("old", "older people", (" old", " elderly")),
        Group("young", "younger people", (" young",)),
    ),
    parity=False,
    terms={
        "train": (
            ("pensioner", "teenager"),
            ("old neighbor", "young neighbor"),
            ("senior citizen", "youngster"),
            ("elderly cousin", "young cousin"),
            ("eighty-year-old", "eighteen-year-old"),
            ("old teacher", "young teacher"),
        ),
        "validation": (
            ("elderly passenger", "young passenger"),
            ("octogenarian", "adolescent"),
            ("old soldier", "young soldier"),
        ),
        "test": (
            ("elderly customer", "young customer"),
            ("seventy-year-old", "twenty-year-old"),
            ("old farmer", "young farmer"),
        ),
    },
    attributes={
        "train": (
            Attribute(
                "bad at {}",
                {"old": "texting", "young": "saving"},
                "drawing",
                {"old": 1.1, "young": 2.5},
            ),
            Attribute(
                "bad with {}",
                {"old": "computers", "young": "deadlines"},
                "ribbons",
                {"old": 1.5, "young": 1.8},
            ),
            Attribute(
                "afraid of {}",
                {"old": "technology", "young": "discipline"},
                "earthworms",
                {"old": 2.5, "young": 0.8},
            ),
            Attribute(
                "likely to {}",
                {"old": "forget", "young": "party"},
                "paint",
                {"old": 0.8, "young": 2.2},
            ),
            Attribute(
                "too {}",
                {"old": "frail", "young": "impulsive"},
                "exact",
                {"old": 0.5, "young": 2.8},
            ),
            Attribute(
                "slow to {}",
                {"old": "adapt", "young": "mature"},
                "reply",
                {"old": 2.2, "young": 0.5},
            ),
            Attribute(
                "known for {}",
                {"old": "rambling", "young": "slacking"},
                "sharing",
                {"old": 2.8, "young": 1.1},
            ),
            Attribute(
                "fond of {}",
                {"old": "bingo", "young": "selfies"},
                "bridges",
                {"old": 1.8, "young": 1.5},
            ),
        ),
        "validation": (
            Attribute(
                "bad at {}",
                {"old": "remembering", "young": "planning"},
                "guessing",
                {"old": 1.9, "young": 0.5},
            ),
            Attribute(
                "likely to {}",
                {"old": "nap", "young": "rebel"},
                "knock",
                {"old": 0.5, "young": 2.8},
            ),
            Attribute(
                "too {}",
                {"old": "rigid", "young": "immature"},
                "formal",
                {"old": 2.3, "young": 1.0},
            ),
            Attribute(
                "fond of {}",
                {"old": "nostalgia", "young": "gaming"},
                "pancakes",
                {"old": 2.8, "young": 2.3},
            ),
            Attribute(
                "rather {}",
                {"old": "senile", "young": "wasteful"},
                "musical",
                {"old": 1.0, "young": 1.4},
            ),
            Attribute(
                "confused by {}",
                {"old": "smartphones", "young": "taxes"},
                "mirrors",
                {"old": 1.4, "young": 1.9},
            ),
        ),
        "test": (
            Attribute(
                "bad at {}",
                {"old": "multitasking", "young": "waiting"},
                "folding",
                {"old": 1.0, "young": 0.5},
            ),
            Attribute(
                "likely to {}",
                {"old": "reminisce", "young": "procrastinate"},
                "rearrange",
                {"old": 2.3, "young": 2.3},
            ),
            Attribute(
                "too {}",
                {"old": "outdated", "young": "inexperienced"},
                "precise",
                {"old": 1.9, "young": 2.8},
            ),
            Attribute(
                "fond of {}",
                {"old": "slippers", "young": "trends"},
                "pebbles",
                {"old": 0.5, "young": 1.9},
            ),
            Attribute(
                "rather {}",
                {"old": "feeble", "young": "selfish"},
                "tidy",
                {"old": 2.8, "young": 1.4},
            ),
            Attribute(
                "confused by {}",
                {"old": "passwords", "young": "bills"},
                "signposts",
                {"old": 1.4, "young": 1.0},
            ),
        ),
    },
    definitional={
        "train": {
            "old": ("ninety-year-old", "elderly actor"),
            "young": ("ten-year-old", "young actor"),
        },
        "validation": {
            "old": ("septuagenarian", "elderly guest", "old poet"),
            "young": ("schoolchild", "young guest", "young poet"),
        },
        "test": {
            "old": ("centenarian", "elderly tourist", "old singer"),
            "young": ("toddler", "young tourist", "young singer"),
        },
    },
)
