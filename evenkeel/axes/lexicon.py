"""What a lexicon of one axis holds: two groups, their terms, and what is said about them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from evenkeel.datasets.records import Split

Pair = tuple[str, str]
"""A word for the first group and its counterpart for the second."""


class Attribute(NamedTuple):
    """Three things to say in one frame: a stereotype of each group, and neither.

    The frame is what keeps biased and neutral sentences alike in form and length: they differ in
    one filler. It completes "the ... was".
    """

    frame: str
    first: str
    second: str
    neutral: str

    def stereotype(self, side: int) -> str:
        """What is held against the first (0) or the second group (1)."""
        return self.frame.format((self.first, self.second)[side])

    def unbiased(self) -> str:
        """What is held against neither group."""
        return self.frame.format(self.neutral)


@dataclass(frozen=True)
class Lexicon:
    """The words of one axis, divided between the splits once and for all."""

    groups: Pair
    """Both groups, as people speak of them."""
    terms: Mapping[Split, tuple[Pair, ...]]
    """Singular noun phrases that follow "the"."""
    attributes: Mapping[Split, tuple[Attribute, ...]]

    def all_terms(self) -> Iterator[Pair]:
        """The pairs of every split."""
        for pairs in self.terms.values():
            yield from pairs

    def all_attributes(self) -> Iterator[Attribute]:
        """The attributes of every split."""
        for attributes in self.attributes.values():
            yield from attributes
