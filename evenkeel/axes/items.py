"""Items: what a stereotype is about, and how often it is said of each group."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from evenkeel.axes.axis import Axis, Split


@dataclass(frozen=True)
class Item:
    """Something to say of a person: an attribute, an occupation."""

    axis: str
    lead: str
    """What stands before the word that tells the item: "bad at", "a"."""
    word: str
    """What tells the item, and is scored where groups are compared: "texting", "nurse"."""
    log_odds: Mapping[str, float]
    """By group, log P(group | item) at full strength, up to a constant."""
    held_against: str | None = None
    """The group that it is held against, if it is."""

    @property
    def text(self) -> str:
        return f"{self.lead} {self.word}".lstrip()

    def rates(self, strength: float) -> dict[str, float]:
        """P(group | item) that is planted: the log-odds are `strength` times those of the table.

        Args:
            strength: 1 plants the table, 0 the same rate for every group.
        """
        weights = {group: math.exp(strength * value) for group, value in self.log_odds.items()}
        total = sum(weights.values())
        return {group: weight / total for group, weight in weights.items()}


def attribute_items(axis: Axis, split: Split) -> list[Item]:
    """The attributes of a split one by one: of each frame, every group's and the neutral one."""
    items = []
    for attribute in axis.attributes[split]:
        lead = attribute.frame.removesuffix(" {}")
        for group, filler in attribute.fillers.items():
            log_odds = {
                name: attribute.grades[group] * (name == group) for name in axis.group_names
            }
            items.append(Item(axis.name, lead, filler, log_odds, group))
        even = dict.fromkeys(axis.group_names, 0.0)
        items.append(Item(axis.name, lead, attribute.neutral, even))
    return items


def all_attribute_items(axis: Axis) -> list[Item]:
    """The attributes of every split."""
    return list(chain.from_iterable(attribute_items(axis, split) for split in axis.attributes))
