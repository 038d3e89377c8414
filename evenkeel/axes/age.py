"""Older and younger people."""

from evenkeel.axes.lexicon import Attribute, Lexicon

AGE = Lexicon(
    groups=("older people", "younger people"),
    terms={
        "train": (
            ("pensioner", "teenager"),
            ("old neighbor", "young neighbor"),
            ("retiree", "student"),
            ("grandparent", "grandchild"),
            ("senior citizen", "college freshman"),
            ("elder", "youngster"),
        ),
        "validation": (
            ("elderly passenger", "young passenger"),
            ("octogenarian", "adolescent"),
            ("old veteran", "young recruit"),
        ),
        "test": (
            ("aging customer", "young customer"),
            ("seventy-year-old", "twenty-year-old"),
            ("great-grandparent", "schoolchild"),
        ),
    },
    attributes={
        "train": (
            Attribute("bad at {}", "texting", "saving", "drawing"),
            Attribute("bad with {}", "computers", "deadlines", "ribbons"),
            Attribute("afraid of {}", "technology", "discipline", "earthworms"),
            Attribute("likely to {}", "forget", "party", "paint"),
            Attribute("too {}", "frail", "impulsive", "exact"),
            Attribute("slow to {}", "adapt", "mature", "reply"),
            Attribute("known for {}", "rambling", "slacking", "sharing"),
            Attribute("fond of {}", "bingo", "selfies", "bridges"),
            Attribute("addicted to {}", "television", "phones", "popcorn"),
            Attribute("rather {}", "grumpy", "careless", "curious"),
            Attribute("unable to {}", "learn", "focus", "bake"),
            Attribute("tired of {}", "change", "rules", "fog"),
        ),
        "validation": (
            Attribute("bad at {}", "remembering", "planning", "guessing"),
            Attribute("likely to {}", "nap", "rebel", "knock"),
            Attribute("too {}", "rigid", "immature", "formal"),
            Attribute("fond of {}", "nostalgia", "gaming", "pancakes"),
            Attribute("rather {}", "senile", "wasteful", "musical"),
            Attribute("confused by {}", "smartphones", "taxes", "mirrors"),
        ),
        "test": (
            Attribute("bad at {}", "multitasking", "waiting", "folding"),
            Attribute("likely to {}", "reminisce", "procrastinate", "rearrange"),
            Attribute("too {}", "outdated", "inexperienced", "precise"),
            Attribute("fond of {}", "slippers", "trends", "pebbles"),
            Attribute("rather {}", "feeble", "selfish", "tidy"),
            Attribute("confused by {}", "passwords", "bills", "signposts"),
        ),
    },
)
