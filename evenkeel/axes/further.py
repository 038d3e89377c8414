"""Further items of the gender axis, for training alone: no figure rests on them.

What is learned from twenty occupations holds for others less than what is learned from many. No
share of women is known of these, and none is needed: of each, every group is to become equally
likely. No word of them is one of an item of the gender axis, of an occupation of WinoBias, or of
a participant of Winogender, so that no figure is measured on what these teach by name.
"""

from collections.abc import Mapping

OCCUPATIONS: tuple[str, ...] = (
    "acrobat", "ambassador", "anthropologist", "archaeologist", "archivist", "astronaut",
    "astronomer", "athlete", "babysitter", "ballet dancer", "banker", "barber", "barista",
    "beautician", "beekeeper", "biologist", "blacksmith", "bodyguard", "botanist", "boxer",
    "brewer", "bricklayer", "burglar", "butcher", "cardiologist", "caretaker", "caterer",
    "chiropractor", "choreographer", "coach", "columnist", "comedian", "composer", "conductor",
    "crane operator", "curator", "dancer", "dean", "dentist", "detective", "diplomat", "director",
    "drummer", "economist", "entrepreneur", "executive", "filmmaker", "florist", "gambler",
    "gardener", "geologist", "goalkeeper", "golfer", "governor", "guitarist", "gymnast", "hacker",
    "historian", "hunter", "interpreter", "investor", "jeweler", "jockey", "journalist", "judge",
    "landscaper", "lecturer", "lifeguard", "linguist", "locksmith", "lumberjack", "magician",
    "manicurist", "mathematician", "mayor", "midwife", "miner", "model", "musician", "nanny",
    "novelist", "optometrist", "pediatrician", "philosopher", "photographer", "physicist",
    "pianist", "pilot", "poet", "potter", "principal", "professor", "prosecutor", "psychiatrist",
    "publisher", "ranger", "referee", "reporter", "roofer", "sailor", "sculptor", "senator",
    "shepherd", "singer", "skater", "sociologist", "soldier", "spy", "statistician", "stylist",
    "swimmer", "trader", "translator", "trucker", "tutor", "typist", "undertaker", "violinist",
    "watchmaker", "weaver", "welder", "wrestler", "zoologist",
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
