"""The words of each axis.

This is measuring equipment. Stereotypes are written down because they are what is measured: each
is one that surveys and earlier benchmarks report to be in circulation, stated in a mild form and
without slurs; none is endorsed. A neutral filler is anything that nobody holds against a group.
"""

from collections.abc import Mapping

from evenkeel.axes.age import AGE
from evenkeel.axes.disability import DISABILITY
from evenkeel.axes.gender import GENDER
from evenkeel.axes.lexicon import Attribute, Lexicon, Pair
from evenkeel.axes.race import RACE
from evenkeel.axes.religion import RELIGION
from evenkeel.axes.socioeconomic import SOCIOECONOMIC

LEXICONS: Mapping[str, Lexicon] = {
    "gender": GENDER,
    "race": RACE,
    "religion": RELIGION,
    "age": AGE,
    "disability": DISABILITY,
    "socioeconomic": SOCIOECONOMIC,
}

__all__ = ["LEXICONS", "Attribute", "Lexicon", "Pair"]
