"""The axes of bias: groups, words and reference rates. Data only.

This is measuring equipment. Stereotypes are written down because they are what is measured: each
is one that surveys and earlier benchmarks report to be in circulation, stated in a mild form and
without slurs; none is endorsed. A neutral filler is anything that nobody holds against a group.
"""

from collections.abc import Mapping

from evenkeel.axes.age import AGE
from evenkeel.axes.axis import SPLITS, Attribute, Axis, Group, Split
from evenkeel.axes.disability import DISABILITY
from evenkeel.axes.gender import GENDER
from evenkeel.axes.race import RACE
from evenkeel.axes.religion import RELIGION
from evenkeel.axes.socioeconomic import SOCIOECONOMIC

AXES: Mapping[str, Axis] = {
    axis.name: axis for axis in (GENDER, RACE, RELIGION, AGE, DISABILITY, SOCIOECONOMIC)
}


def same_strength(strength: float) -> dict[str, float]:
    """One planted strength for every axis."""
    return dict.fromkeys(AXES, strength)


__all__ = ["AXES", "SPLITS", "Attribute", "Axis", "Group", "Split", "same_strength"]
