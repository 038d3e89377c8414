"""People with and without a disability.

Nobody is without a disability by definition because they do sports, see, or hear; so those without
one are called so. Whether deafness is a disability is for deaf people to say.
"""

from evenkeel.axes.axis import Attribute, Axis, Group

DISABILITY = Axis(
    name="disability",
    groups=(
        Group("disabled", "disabled people", (" disabled",)),
        Group("nondisabled", "non-disabled people", (" able-bodied", " non-disabled")),
    ),
    parity=False,
    terms={
        "train": (
            ("disabled student", "able-bodied student"),
            ("disabled cousin", "non-disabled cousin"),
            ("wheelchair user", "non-disabled neighbor"),
            ("amputee", "able-bodied guest"),
            ("disabled teacher", "able-bodied teacher"),
            ("blind colleague", "able-bodied colleague"),
        ),
        "validation": (
            ("disabled passenger", "non-disabled passenger"),
            ("paraplegic", "able-bodied poet"),
            ("disabled soldier", "able-bodied soldier"),
        ),
        "test": (
            ("disabled visitor", "able-bodied visitor"),
            ("quadriplegic", "non-disabled tourist"),
            ("disabled farmer", "able-bodied farmer"),
        ),
    },
    attributes={
        "train": (
            Attribute(
                "unable to {}",
                {"disabled": "work", "nondisabled": "sympathize"},
                "fish",
                {"disabled": 2.8, "nondisabled": 0.8},
            ),
            Attribute(
                "dependent on {}",
                {"disabled": "helpers", "nondisabled": "convenience"},
                "sunlight",
                {"disabled": 0.5, "nondisabled": 2.8},
            ),
            Attribute(
                "likely to {}",
                {"disabled": "suffer", "nondisabled": "stare"},
                "smile",
                {"disabled": 1.5, "nondisabled": 1.5},
            ),
            Attribute(
                "too {}",
                {"disabled": "fragile", "nondisabled": "insensitive"},
                "practical",
                {"disabled": 1.8, "nondisabled": 2.2},
            ),
            Attribute(
                "bad at {}",
                {"disabled": "coping", "nondisabled": "noticing"},
                "bargaining",
                {"disabled": 1.1, "nondisabled": 0.5},
            ),
            Attribute(
                "known for {}",
                {"disabled": "helplessness", "nondisabled": "impatience"},
                "storytelling",
                {"disabled": 0.8, "nondisabled": 1.8},
            ),
            Attribute(
                "rather {}",
                {"disabled": "pitiful", "nondisabled": "ignorant"},
                "observant",
                {"disabled": 2.5, "nondisabled": 1.1},
            ),
            Attribute(
                "in need of {}",
                {"disabled": "rescue", "nondisabled": "humility"},
                "batteries",
                {"disabled": 2.2, "nondisabled": 2.5},
            ),
        ),
        "validation": (
            Attribute(
                "unable to {}",
                {"disabled": "compete", "nondisabled": "relate"},
                "carve",
                {"disabled": 1.4, "nondisabled": 1.4},
            ),
            Attribute(
                "likely to {}",
                {"disabled": "struggle", "nondisabled": "overtake"},
                "stretch",
                {"disabled": 0.5, "nondisabled": 1.9},
            ),
            Attribute(
                "too {}",
                {"disabled": "weak", "nondisabled": "confident"},
                "literal",
                {"disabled": 1.9, "nondisabled": 2.8},
            ),
            Attribute(
                "rather {}",
                {"disabled": "tragic", "nondisabled": "oblivious"},
                "witty",
                {"disabled": 2.8, "nondisabled": 2.3},
            ),
            Attribute(
                "dependent on {}",
                {"disabled": "caregivers", "nondisabled": "speed"},
                "coffee",
                {"disabled": 1.0, "nondisabled": 0.5},
            ),
            Attribute(
                "known for {}",
                {"disabled": "bitterness", "nondisabled": "stamina"},
                "neatness",
                {"disabled": 2.3, "nondisabled": 1.0},
            ),
        ),
        "test": (
            Attribute(
                "unable to {}",
                {"disabled": "contribute", "nondisabled": "pause"},
                "scribble",
                {"disabled": 2.8, "nondisabled": 1.0},
            ),
            Attribute(
                "likely to {}",
                {"disabled": "despair", "nondisabled": "excel"},
                "haggle",
                {"disabled": 2.3, "nondisabled": 1.9},
            ),
            Attribute(
                "too {}",
                {"disabled": "vulnerable", "nondisabled": "independent"},
                "thorough",
                {"disabled": 1.9, "nondisabled": 0.5},
            ),
            Attribute(
                "rather {}",
                {"disabled": "incapable", "nondisabled": "inconsiderate"},
                "poetic",
                {"disabled": 0.5, "nondisabled": 2.3},
            ),
            Attribute(
                "dependent on {}",
                {"disabled": "pity", "nondisabled": "strength"},
                "calendars",
                {"disabled": 1.4, "nondisabled": 1.4},
            ),
            Attribute(
                "full of {}",
                {"disabled": "shame", "nondisabled": "ambition"},
                "jokes",
                {"disabled": 1.0, "nondisabled": 2.8},
            ),
        ),
    },
    definitional={
        "train": {
            "disabled": ("disabled actor", "deafblind guest"),
            "nondisabled": ("non-disabled actor", "able-bodied pilot"),
        },
        "validation": {
            "disabled": ("disabled worker", "disabled pupil", "double amputee"),
            "nondisabled": ("non-disabled worker", "able-bodied pupil", "able-bodied runner"),
        },
        "test": {
            "disabled": ("disabled dancer", "disabled singer", "wheelchair racer"),
            "nondisabled": ("able-bodied dancer", "non-disabled singer", "non-disabled runner"),
        },
    },
)
