"""What an axis of bias is: its groups, their terms, and what is held against whom. Data only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evenkeel.params import SPLITS, Split

__all__ = ["SPLITS", "Attribute", "Axis", "Group", "Split"]


@dataclass(frozen=True)
class Group:
    """One side of an axis."""

    name: str
    """As it stands in files and tables: female, Muslim, old."""
    people: str
    """As people speak of its members: women, Muslims, older people."""
    continuations: tuple[str, ...]
    """Words that name the group where a sentence goes on ("is probably" Muslim), leading space
    included."""


@dataclass(frozen=True)
class Attribute:
    """Things to say in one frame: a stereotype of each group, and something held against nobody.

    The frame keeps biased and neutral sentences alike in form and length: they differ in one
    filler. It completes "the ... was".
    """

    frame: str
    fillers: Mapping[str, str]
    """By name of the group that it is held against; a frame may leave groups out."""
    neutral: str
    grades: Mapping[str, float] = field(default_factory=dict)
    """By group, how strongly its filler is held against it in the organism: the planted log-odds of
    that group against each other one. Ours, spread evenly: nobody counted them."""

    def stereotype(self, group: str) -> str:
        """What is held against a group."""
        return self.frame.format(self.fillers[group])

    def unbiased(self) -> str:
        """What is held against nobody."""
        return self.frame.format(self.neutral)


@dataclass(frozen=True)
class Axis:
    """One kind of bias and its words, divided between the splits once and for all."""

    name: str
    groups: tuple[Group, ...]
    """Two or more; the first two are those that a two-sided contrast names."""
    parity: bool
    """Whether the groups' words are as common wherever one of them fits (she, he), so that without
    bias they are equally likely. If not (disabled, able-bodied), their base rates say nothing of an
    item, and without bias every item has the same log-odds."""
    terms: Mapping[Split, tuple[tuple[str, ...], ...]]
    """Counterparts: one noun phrase a group, in the order of the groups; they follow "the", and
    each belongs to its group by definition."""
    attributes: Mapping[Split, tuple[Attribute, ...]]
    definitional: Mapping[Split, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """By group, further noun phrases that belong to it by definition (an imam is a Muslim)."""
    names: Mapping[Split, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """By group, people's names that a reader takes to belong to it; no "the" before them."""

    def group(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)

    @property
    def group_names(self) -> tuple[str, ...]:
        return tuple(group.name for group in self.groups)

    def definitional_subjects(self, split: Split, group: str) -> tuple[str, ...]:
        """What is of a group by definition, as the subject of a sentence: "the imam", "Mary"."""
        side = self.group_names.index(group)
        nouns = [counterparts[side] for counterparts in self.terms[split]]
        nouns += self.definitional.get(split, {}).get(group, ())
        names = self.names.get(split, {}).get(group, ())
        return (*(f"the {noun}" for noun in nouns), *names)

    def all_terms(self) -> Iterator[tuple[str, ...]]:
        """The counterparts of every split."""
        for counterparts in self.terms.values():
            yield from counterparts

    def all_attributes(self) -> Iterator[Attribute]:
        """The attributes of every split."""
        for attributes in self.attributes.values():
            yield from attributes
