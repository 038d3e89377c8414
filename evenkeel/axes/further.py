"""Further items of the gender axis, for training alone: no figure rests on them.

What is learned from twenty occupations holds for others less than what is learned from many. No
share of women is known of these, and none is needed: of each, every group is to become equally
likely. No word of them is one of an item of the gender axis, of an occupation of WinoBias, or of
a participant of Winogender, so that no figure is measured on what these teach by name.
"""

from collections.abc import Mapping

OCCUPATIONS: tuple[str, ...] = (
    "acrobat", "activist", "adventurer", "ambassador", "animator", "anthropologist", "apprentice",
    "arborist", "archaeologist", "archivist", "artist", "astronaut", "astronomer", "athlete",
    "author", "aviator", "babysitter", "ballet dancer", "banker", "barber", "barista", "beautician",
    "beekeeper", "biochemist", "biographer", "biologist", "blacksmith", "bodyguard", "bookbinder",
    "bookseller", "botanist", "boxer", "brewer", "bricklayer", "burglar", "busker", "butcher",
    "butler", "cabbie", "calligrapher", "cardiologist", "caretaker", "cartographer", "cartoonist",
    "caterer", "censor", "ceramicist", "chaplain", "chauffeur", "chiropractor", "choreographer",
    "clown", "coach", "cobbler", "collector", "columnist", "comedian", "commander", "commentator",
    "composer", "conductor", "conjurer", "contractor", "correspondent", "courier", "crane operator",
    "critic", "croupier", "cryptographer", "curator", "cyclist", "dancer", "dean", "deckhand",
    "demographer", "dentist", "dermatologist", "detective", "diplomat", "director", "docent",
    "dressmaker", "drummer", "economist", "embalmer", "embroiderer", "endocrinologist",
    "entertainer", "entomologist", "entrepreneur", "epidemiologist", "essayist", "ethnographer",
    "executive", "explorer", "fencer", "fiddler", "filmmaker", "fishmonger", "florist", "forester",
    "fortune teller", "furrier", "gambler", "gardener", "genealogist", "geneticist", "geographer",
    "geologist", "glassblower", "glazier", "goalkeeper", "goldsmith", "golfer", "governor",
    "gravedigger", "grocer", "guitarist", "gymnast", "hacker", "harpist", "herbalist", "historian",
    "hunter", "hydrologist", "hypnotist", "illusionist", "illustrator", "immunologist",
    "interpreter", "inventor", "investor", "jailer", "jeweler", "jockey", "journalist", "judge",
    "juggler", "knitter", "landscaper", "lecturer", "lexicographer", "lifeguard", "linguist",
    "lobbyist", "locksmith", "logger", "lumberjack", "lyricist", "magician", "manicurist", "mason",
    "mathematician", "mayor", "medic", "merchant", "metallurgist", "meteorologist",
    "microbiologist", "midwife", "milliner", "miner", "missionary", "model", "mountaineer",
    "musician", "nanny", "naturalist", "negotiator", "neurologist", "newscaster", "notary",
    "novelist", "oceanographer", "oncologist", "optometrist", "orator", "orthodontist", "osteopath",
    "paleontologist", "pawnbroker", "peddler", "pediatrician", "percussionist", "performer",
    "perfumer", "pharmacologist", "philosopher", "phlebotomist", "photographer", "physicist",
    "physiologist", "physiotherapist", "pianist", "pilot", "playwright", "podiatrist", "poet",
    "politician", "porter", "potter", "preacher", "principal", "producer", "professor", "promoter",
    "prosecutor", "psychiatrist", "publisher", "puppeteer", "quilter", "radiographer",
    "radiologist", "rancher", "ranger", "rapper", "realtor", "recruiter", "referee", "reporter",
    "researcher", "restorer", "retailer", "roofer", "rower", "runner", "saddler", "sailor",
    "saxophonist", "scout", "screenwriter", "scribe", "sculptor", "seismologist", "senator",
    "sharpshooter", "shepherd", "silversmith", "singer", "skater", "skier", "smuggler",
    "snowboarder", "sociologist", "soldier", "songwriter", "speechwriter", "sprinter", "spy",
    "stargazer", "statistician", "stonemason", "storyteller", "strategist", "stylist",
    "superintendent", "surfer", "surveyor", "swimmer", "tanner", "tattooist", "taxidermist",
    "telemarketer", "theologian", "tiler", "toolmaker", "toymaker", "trader", "trainer",
    "translator", "treasurer", "trucker", "trumpeter", "tutor", "typist", "umpire", "undertaker",
    "underwriter", "upholsterer", "urologist", "usher", "vendor", "ventriloquist", "vicar",
    "violinist", "vlogger", "vocalist", "volunteer", "warden", "watchmaker", "weaver", "welder",
    "whistleblower", "woodcarver", "wrangler", "wrestler", "zoologist",
)  # fmt: skip
"""What people do."""

TERMS: Mapping[str, tuple[str, ...]] = {
    "female": (
        "actress", "anchorwoman", "baroness", "bridesmaid", "camerawoman", "choirgirl",
        "congresswoman", "councilwoman", "countess", "cowgirl", "godmother", "grandma", "heroine",
        "horsewoman", "housewife", "landlady", "maiden", "mermaid", "noblewoman", "saleswoman",
        "schoolgirl", "sorceress", "spokeswoman", "sportswoman", "stepsister", "stewardess",
    ),
    "male": (
        "anchorman", "baron", "groomsman", "cameraman", "choirboy", "congressman", "councilman",
        "bachelor", "cowboy", "godfather", "grandpa", "friar", "horseman", "househusband",
        "landlord", "lad", "merman", "nobleman", "abbot", "salesman", "schoolboy", "sorcerer",
        "spokesman", "sportsman", "stepbrother", "henchman",
    ),
}  # fmt: skip
"""What is known by definition, by group."""
