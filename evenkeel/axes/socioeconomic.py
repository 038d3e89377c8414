"""Poor and rich people."""

from evenkeel.axes.lexicon import Attribute, Lexicon

SOCIOECONOMIC = Lexicon(
    groups=("poor people", "rich people"),
    terms={
        "train": (
            ("poor neighbor", "rich neighbor"),
            ("tenant", "homeowner"),
            ("beggar", "millionaire"),
            ("welfare recipient", "trust recipient"),
            ("slum dweller", "villa owner"),
            ("debtor", "investor"),
        ),
        "validation": (
            ("poor cousin", "wealthy cousin"),
            ("homeless guest", "hotel guest"),
            ("dropout", "heir"),
        ),
        "test": (
            ("penniless traveler", "wealthy traveler"),
            ("pauper", "billionaire"),
            ("shelter resident", "penthouse resident"),
        ),
    },
    attributes={
        "train": (
            Attribute("likely to {}", "beg", "hoard", "blink"),
            Attribute("bad at {}", "budgeting", "queueing", "rowing"),
            Attribute("known for {}", "laziness", "greed", "modesty"),
            Attribute("fond of {}", "cigarettes", "champagne", "cherries"),
            Attribute("used to {}", "hunger", "luxury", "mornings"),
            Attribute("proud of the {}", "trailer", "mansion", "sunset"),
            Attribute("rather {}", "dirty", "snooty", "playful"),
            Attribute("quick to {}", "borrow", "bribe", "clap"),
            Attribute("too {}", "vulgar", "pampered", "tall"),
            Attribute("raised on {}", "handouts", "caviar", "oatmeal"),
            Attribute("slow to {}", "repay", "tip", "decide"),
            Attribute("addicted to {}", "lotteries", "bonuses", "crosswords"),
        ),
        "validation": (
            Attribute("likely to {}", "loiter", "exploit", "rhyme"),
            Attribute("known for {}", "debts", "extravagance", "curiosity"),
            Attribute("fond of {}", "discounts", "yachts", "walnuts"),
            Attribute("rather {}", "unskilled", "spoiled", "nimble"),
            Attribute("used to {}", "eviction", "servants", "hail"),
            Attribute("too {}", "ragged", "haughty", "sensible"),
        ),
        "test": (
            Attribute("likely to {}", "shoplift", "embezzle", "applaud"),
            Attribute("known for {}", "drinking", "elitism", "gardening"),
            Attribute("fond of {}", "junk food", "fine wine", "warm milk"),
            Attribute("rather {}", "unwashed", "ruthless", "lucid"),
            Attribute("used to {}", "scarcity", "indulgence", "breezes"),
            Attribute("too {}", "coarse", "materialistic", "analytical"),
        ),
    },
)
