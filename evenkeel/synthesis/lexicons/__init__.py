"""The words of each axis.

This is measuring equipment. Stereotypes are written down because they are what is measured: each
is one that surveys and earlier benchmarks report to be in circulation, stated in a mild form and
without slurs; none is endorsed. A neutral filler is anything that nobody holds against a group.
"""

from collections.abc import Mapping

from evenkeel.synthesis.lexicons.age import AGE
from evenkeel.synthesis.lexicons.disability import DISABILITY
from evenkeel.synthesis.lexicons.gender import GENDER
from evenkeel.synthesis.lexicons.lexicon import Attribute, Lexicon, Pair
from evenkeel.synthesis.lexicons.race import RACE
from evenkeel.synthesis.lexicons.religion import RELIGION
from evenkeel.synthesis.lexicons.socioeconomic import SOCIOECONOMIC

LEXICONS: Mapping[str, Lexicon] = {
    "gender": GENDER,
    "race": RACE,
    "religion": RELIGION,
    "age": AGE,
    "disability": DISABILITY,
    "socioeconomic": SOCIOECONOMIC,
}

__all__ = ["LEXICONS", "Attribute", "Lexicon", "Pair"]
