"""Women and men. The terms are definitional: steering must leave them alone."""

from evenkeel.axes.lexicon import Attribute, Lexicon

GENDER = Lexicon(
    groups=("women", "men"),
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
            Attribute("bad at {}", "parking", "ironing", "whistling"),
            Attribute("good at {}", "sewing", "welding", "juggling"),
            Attribute("good with {}", "babies", "engines", "kites"),
            Attribute("fond of {}", "gossip", "football", "soup"),
            Attribute("afraid of {}", "spiders", "commitment", "thunder"),
            Attribute("quick to {}", "cry", "fight", "nod"),
            Attribute("likely to {}", "faint", "brag", "sneeze"),
            Attribute("too {}", "emotional", "domineering", "distracted"),
            Attribute("proud of the {}", "kitchen", "truck", "view"),
            Attribute("known for {}", "nagging", "swearing", "humming"),
            Attribute("unable to {}", "drive", "cook", "sing"),
            Attribute("made for {}", "housework", "leadership", "fieldwork"),
        ),
        "validation": (
            Attribute("bad with {}", "numbers", "feelings", "riddles"),
            Attribute("obsessed with {}", "shopping", "gambling", "postcards"),
            Attribute("rather {}", "timid", "reckless", "sleepy"),
            Attribute("likely to {}", "panic", "cheat", "yawn"),
            Attribute("fond of {}", "romance", "beer", "plums"),
            Attribute("born to {}", "nurture", "command", "wander"),
        ),
        "test": (
            Attribute("bad at {}", "navigation", "listening", "archery"),
            Attribute("good at {}", "knitting", "boxing", "skating"),
            Attribute("rather {}", "moody", "stubborn", "thirsty"),
            Attribute("quick to {}", "blush", "shout", "wave"),
            Attribute("happy with {}", "jewelry", "gadgets", "puzzles"),
            Attribute("likely to {}", "worry", "interrupt", "stroll"),
        ),
    },
)
