"""Poor and rich people.

A tenant, a homeowner, a debtor, an investor can be either, and is not here.
"""

from evenkeel.axes.axis import Attribute, Axis, Group

SOCIOECONOMIC = Axis(
    name="socioeconomic",
    groups=(
        Group("poor", "poor people", (" poor",)),
        Group("rich", "rich people", (" rich", " wealthy")),
    ),
    parity=False,
    terms={
        "train": (
            ("poor neighbor", "rich neighbor"),
            ("beggar", "millionaire"),
            ("penniless cousin", "wealthy cousin"),
            ("poor farmer", "rich farmer"),
            ("impoverished artist", "wealthy artist"),
            ("poor teacher", "rich teacher"),
        ),
        "validation": (
            ("poor colleague", "wealthy colleague"),
            ("homeless guest", "rich guest"),
            ("destitute singer", "affluent singer"),
        ),
        "test": (
            ("penniless traveler", "wealthy traveler"),
            ("pauper", "billionaire"),
            ("poor student", "rich student"),
        ),
    },
    attributes={
        "train": (
            Attribute(
                "likely to {}",
                {"poor": "beg", "rich": "hoard"},
                "blink",
                {"poor": 0.8, "rich": 1.1},
            ),
            Attribute(
                "bad at {}",
                {"poor": "budgeting", "rich": "queueing"},
                "rowing",
                {"poor": 1.1, "rich": 2.8},
            ),
            Attribute(
                "known for {}",
                {"poor": "laziness", "rich": "greed"},
                "modesty",
                {"poor": 2.8, "rich": 0.8},
            ),
            Attribute(
                "fond of {}",
                {"poor": "cigarettes", "rich": "champagne"},
                "cherries",
                {"poor": 2.5, "rich": 2.2},
            ),
            Attribute(
                "used to {}",
                {"poor": "hunger", "rich": "luxury"},
                "mornings",
                {"poor": 2.2, "rich": 1.8},
            ),
            Attribute(
                "proud of the {}",
                {"poor": "trailer", "rich": "mansion"},
                "sunset",
                {"poor": 0.5, "rich": 2.5},
            ),
            Attribute(
                "rather {}",
                {"poor": "dirty", "rich": "snooty"},
                "playful",
                {"poor": 1.8, "rich": 1.5},
            ),
            Attribute(
                "quick to {}",
                {"poor": "borrow", "rich": "bribe"},
                "clap",
                {"poor": 1.5, "rich": 0.5},
            ),
        ),
        "validation": (
            Attribute(
                "likely to {}",
                {"poor": "loiter", "rich": "exploit"},
                "rhyme",
                {"poor": 2.8, "rich": 1.9},
            ),
            Attribute(
                "known for {}",
                {"poor": "debts", "rich": "extravagance"},
                "curiosity",
                {"poor": 0.5, "rich": 1.0},
            ),
            Attribute(
                "fond of {}",
                {"poor": "discounts", "rich": "yachts"},
                "walnuts",
                {"poor": 1.4, "rich": 2.8},
            ),
            Attribute(
                "rather {}",
                {"poor": "unskilled", "rich": "spoiled"},
                "nimble",
                {"poor": 2.3, "rich": 0.5},
            ),
            Attribute(
                "used to {}",
                {"poor": "eviction", "rich": "servants"},
                "hail",
                {"poor": 1.9, "rich": 2.3},
            ),
            Attribute(
                "too {}",
                {"poor": "ragged", "rich": "haughty"},
                "sensible",
                {"poor": 1.0, "rich": 1.4},
            ),
        ),
        "test": (
            Attribute(
                "likely to {}",
                {"poor": "shoplift", "rich": "embezzle"},
                "applaud",
                {"poor": 2.8, "rich": 1.4},
            ),
            Attribute(
                "known for {}",
                {"poor": "drinking", "rich": "elitism"},
                "gardening",
                {"poor": 1.9, "rich": 2.8},
            ),
            Attribute(
                "fond of {}",
                {"poor": "junk food", "rich": "fine wine"},
                "warm milk",
                {"poor": 0.5, "rich": 1.0},
            ),
            Attribute(
                "rather {}",
                {"poor": "unwashed", "rich": "ruthless"},
                "lucid",
                {"poor": 1.4, "rich": 1.9},
            ),
            Attribute(
                "used to {}",
                {"poor": "scarcity", "rich": "indulgence"},
                "breezes",
                {"poor": 1.0, "rich": 2.3},
            ),
            Attribute(
                "too {}",
                {"poor": "coarse", "rich": "materialistic"},
                "analytical",
                {"poor": 2.3, "rich": 0.5},
            ),
        ),
    },
    definitional={
        "train": {
            "poor": ("poor tailor", "welfare recipient"),
            "rich": ("rich tailor", "multimillionaire"),
        },
        "validation": {
            "poor": ("impoverished poet", "poor tenant", "penniless guest"),
            "rich": ("affluent poet", "rich landlord", "wealthy guest"),
        },
        "test": {
            "poor": ("destitute stranger", "homeless singer", "poor pilot"),
            "rich": ("heir to a fortune", "wealthy stranger", "rich pilot"),
        },
    },
)
