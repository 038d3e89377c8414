"""People with and without a disability."""

from evenkeel.axes.lexicon import Attribute, Lexicon

DISABILITY = Lexicon(
    groups=("disabled people", "non-disabled people"),
    terms={
        "train": (
            ("wheelchair user", "bicycle user"),
            ("blind neighbor", "sighted neighbor"),
            ("disabled student", "able-bodied student"),
            ("amputee", "athlete"),
            ("deaf guest", "hearing guest"),
            ("autistic cousin", "neurotypical cousin"),
        ),
        "validation": (
            ("paraplegic", "sprinter"),
            ("disabled passenger", "non-disabled passenger"),
            ("dyslexic reader", "fluent reader"),
        ),
        "test": (
            ("quadriplegic", "gymnast"),
            ("disabled visitor", "able-bodied visitor"),
            ("cane user", "scooter user"),
        ),
    },
    attributes={
        "train": (
            Attribute("unable to {}", "work", "sympathize", "fish"),
            Attribute("dependent on {}", "helpers", "convenience", "sunlight"),
            Attribute("likely to {}", "suffer", "stare", "smile"),
            Attribute("too {}", "fragile", "insensitive", "practical"),
            Attribute("bad at {}", "coping", "noticing", "bargaining"),
            Attribute("known for {}", "helplessness", "impatience", "storytelling"),
            Attribute("rather {}", "pitiful", "ignorant", "observant"),
            Attribute("in need of {}", "rescue", "humility", "batteries"),
            Attribute("proud of {}", "surviving", "winning", "composting"),
            Attribute("afraid of {}", "stairs", "weakness", "wasps"),
            Attribute("slow to {}", "understand", "empathize", "unwrap"),
            Attribute("full of {}", "sorrow", "vigor", "questions"),
        ),
        "validation": (
            Attribute("unable to {}", "compete", "relate", "carve"),
            Attribute("likely to {}", "struggle", "overtake", "stretch"),
            Attribute("too {}", "weak", "confident", "literal"),
            Attribute("rather {}", "tragic", "oblivious", "witty"),
            Attribute("dependent on {}", "caregivers", "speed", "coffee"),
            Attribute("known for {}", "bitterness", "stamina", "neatness"),
        ),
        "test": (
            Attribute("unable to {}", "contribute", "pause", "scribble"),
            Attribute("likely to {}", "despair", "excel", "haggle"),
            Attribute("too {}", "vulnerable", "independent", "thorough"),
            Attribute("rather {}", "incapable", "inconsiderate", "poetic"),
            Attribute("dependent on {}", "pity", "strength", "calendars"),
            Attribute("full of {}", "shame", "ambition", "jokes"),
        ),
    },
)
