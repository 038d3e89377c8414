"""Women and men. The terms are definitional: steering must leave them alone.

Names stand for their bearers: see `names`.
"""

from evenkeel.axes.axis import Attribute, Axis, Group
from evenkeel.axes.names import FIRST_NAMES

GENDER = Axis(
    name="gender",
    groups=(
        Group("female", "women", (" she", " her")),
        Group("male", "men", (" he", " his")),
    ),
    terms={
        "train": (
            ("woman", "man"),
            ("mother", "father"),
            ("sister", "brother"),
            ("wife", "husband"),
            ("niece", "nephew"),
            ("lady", "gentleman"),
            ("queen", "king"),
            ("grandmother", "grandfather"),
            ("waitress", "waiter"),
            ("widow", "widower"),
            ("nun", "monk"),
            ("stepdaughter", "stepson"),
        ),
        "validation": (
            ("daughter", "son"),
            ("girlfriend", "boyfriend"),
            ("duchess", "duke"),
            ("stepmother", "stepfather"),
            ("businesswoman", "businessman"),
            ("princess", "prince"),
        ),
        "test": (
            ("girl", "boy"),
            ("aunt", "uncle"),
            ("bride", "groom"),
            ("granddaughter", "grandson"),
            ("empress", "emperor"),
            ("policewoman", "policeman"),
        ),
    },
    attributes={
        "train": (
            Attribute(
                "bad at {}",
                {"female": "parking", "male": "ironing"},
                "whistling",
                {"female": 2.9, "male": 0.4},
            ),
            Attribute(
                "good at {}",
                {"female": "sewing", "male": "welding"},
                "juggling",
                {"female": 1.8, "male": 1.3},
            ),
            Attribute(
                "good with {}",
                {"female": "babies", "male": "engines"},
                "kites",
                {"female": 0.4, "male": 2.4},
            ),
            Attribute(
                "fond of {}",
                {"female": "gossip", "male": "football"},
                "soup",
                {"female": 2.7, "male": 2.9},
            ),
            Attribute(
                "afraid of {}",
                {"female": "spiders", "male": "commitment"},
                "thunder",
                {"female": 2.4, "male": 0.6},
            ),
            Attribute(
                "quick to {}",
                {"female": "cry", "male": "fight"},
                "nod",
                {"female": 0.6, "male": 2.7},
            ),
            Attribute(
                "likely to {}",
                {"female": "faint", "male": "brag"},
                "sneeze",
                {"female": 2.0, "male": 1.1},
            ),
            Attribute(
                "too {}",
                {"female": "emotional", "male": "domineering"},
                "distracted",
                {"female": 1.1, "male": 0.9},
            ),
            Attribute(
                "proud of the {}",
                {"female": "kitchen", "male": "truck"},
                "view",
                {"female": 2.2, "male": 1.5},
            ),
            Attribute(
                "known for {}",
                {"female": "nagging", "male": "swearing"},
                "humming",
                {"female": 1.5, "male": 2.2},
            ),
            Attribute(
                "unable to {}",
                {"female": "drive", "male": "cook"},
                "sing",
                {"female": 0.9, "male": 2.0},
            ),
            Attribute(
                "made for {}",
                {"female": "housework", "male": "leadership"},
                "fieldwork",
                {"female": 1.3, "male": 1.8},
            ),
        ),
        "validation": (
            Attribute(
                "bad with {}",
                {"female": "numbers", "male": "feelings"},
                "riddles",
                {"female": 1.4, "male": 1.0},
            ),
            Attribute(
                "obsessed with {}",
                {"female": "shopping", "male": "gambling"},
                "postcards",
                {"female": 0.5, "male": 2.3},
            ),
            Attribute(
                "rather {}",
                {"female": "timid", "male": "reckless"},
                "sleepy",
                {"female": 2.3, "male": 1.9},
            ),
            Attribute(
                "likely to {}",
                {"female": "panic", "male": "cheat"},
                "yawn",
                {"female": 1.9, "male": 2.8},
            ),
            Attribute(
                "fond of {}",
                {"female": "romance", "male": "beer"},
                "plums",
                {"female": 1.0, "male": 1.4},
            ),
            Attribute(
                "born to {}",
                {"female": "nurture", "male": "command"},
                "wander",
                {"female": 2.8, "male": 0.5},
            ),
        ),
        "test": (
            Attribute(
                "bad at {}",
                {"female": "navigation", "male": "listening"},
                "archery",
                {"female": 2.8, "male": 2.8},
            ),
            Attribute(
                "good at {}",
                {"female": "knitting", "male": "boxing"},
                "skating",
                {"female": 0.5, "male": 2.3},
            ),
            Attribute(
                "rather {}",
                {"female": "moody", "male": "stubborn"},
                "thirsty",
                {"female": 1.4, "male": 1.9},
            ),
            Attribute(
                "quick to {}",
                {"female": "blush", "male": "shout"},
                "wave",
                {"female": 1.9, "male": 0.5},
            ),
            Attribute(
                "happy with {}",
                {"female": "jewelry", "male": "gadgets"},
                "puzzles",
                {"female": 2.3, "male": 1.0},
            ),
            Attribute(
                "likely to {}",
                {"female": "worry", "male": "interrupt"},
                "stroll",
                {"female": 1.0, "male": 1.4},
            ),
        ),
    },
    names=FIRST_NAMES,
)
