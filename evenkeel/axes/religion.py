"""Muslims and Christians."""

from evenkeel.axes.lexicon import Attribute, Lexicon

RELIGION = Lexicon(
    groups=("Muslims", "Christians"),
    terms={
        "train": (
            ("Muslim", "Christian"),
            ("Sunni", "Catholic"),
            ("imam", "pastor"),
            ("mosque visitor", "church visitor"),
            ("Quran reader", "Bible reader"),
            ("Shiite", "Methodist"),
        ),
        "validation": (
            ("Muslim colleague", "Christian colleague"),
            ("mullah", "priest"),
            ("Sufi", "Lutheran"),
        ),
        "test": (
            ("Muslim tourist", "Christian tourist"),
            ("mufti", "bishop"),
            ("Alevi", "Baptist"),
        ),
    },
    attributes={
        "train": (
            Attribute("likely to {}", "radicalize", "preach", "hesitate"),
            Attribute("known for {}", "fanaticism", "hypocrisy", "politeness"),
            Attribute("too {}", "strict", "prudish", "brief"),
            Attribute("ready to {}", "attack", "evangelize", "rehearse"),
            Attribute("wary of {}", "pork", "sin", "ladders"),
            Attribute("hostile to {}", "freedom", "science", "noise"),
            Attribute("loyal to {}", "clerics", "crusades", "habits"),
            Attribute("fond of {}", "veils", "hymns", "lanterns"),
            Attribute("quick to {}", "condemn", "forgive", "wink"),
            Attribute("rather {}", "oppressive", "naive", "careful"),
            Attribute("set on {}", "conquest", "conversion", "breakfast"),
            Attribute("suspected of {}", "terrorism", "bigotry", "snoring"),
        ),
        "validation": (
            Attribute("likely to {}", "threaten", "moralize", "improvise"),
            Attribute("too {}", "fanatical", "sanctimonious", "energetic"),
            Attribute("hostile to {}", "outsiders", "evolution", "winter"),
            Attribute("known for {}", "extremism", "charity", "punctuality"),
            Attribute("fond of {}", "minarets", "choirs", "mushrooms"),
            Attribute("rather {}", "backward", "gullible", "talented"),
        ),
        "test": (
            Attribute("likely to {}", "retaliate", "proselytize", "memorize"),
            Attribute("too {}", "militant", "puritanical", "spontaneous"),
            Attribute("hostile to {}", "democracy", "abortion", "traffic"),
            Attribute("suspected of {}", "jihadism", "homophobia", "daydreaming"),
            Attribute("fond of {}", "prayer rugs", "church bells", "paper boats"),
            Attribute("rather {}", "controlling", "judgmental", "inventive"),
        ),
    },
)
