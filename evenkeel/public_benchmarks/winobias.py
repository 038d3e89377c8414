"""WinoBias (Zhao et al. 2018): are pronouns resolved better where they fit the stereotype?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from evenkeel.datasets.terms import find_term
from evenkeel.errors import BadInputError
from evenkeel.public_benchmarks.coreference import RULES, Mention, margins
from evenkeel.public_benchmarks.encoding import Encoder, longest
from evenkeel.public_benchmarks.measures import Measure, groups_of
from evenkeel.public_benchmarks.reading import lines_of, wrong_line
from evenkeel.public_benchmarks.scoring import LogProbs
from evenkeel.public_benchmarks.task import Task
from evenkeel.statistics.bootstrap import ratio_of_sums

SPLITS = ("dev", "test")
TYPES = ("type1", "type2")
"""Meaning alone decides; grammar decides, too."""
PRONOUNS = {"he", "she", "him", "her", "his"}
_BRACKETS = re.compile(r"\[([^]]*)\]")


@dataclass(frozen=True)
class Pair:
    """The same sentence with a pronoun that fits the stereotype and with one that does not."""

    group: str
    """Type and split."""
    pro: Mention
    anti: Mention


def read_pairs(path: Path) -> list[Pair]:
    """Read a folder of the four files of a split, dev or test or both, and the occupations.

    Raises:
        BadInputError: a file is missing, the two files of a type are not parallel, or a line is
            no sentence of the format (which, and why).
    """
    splits = [split for split in SPLITS if (path / f"pro_stereotyped_type1.txt.{split}").exists()]
    if not splits:
        raise BadInputError(
            f"{path}: no pro_stereotyped_type1.txt.dev or .test there; name the benchmark's folder"
        )
    occupations = [
        line.strip().lower()
        for name in ("female_occupations.txt", "male_occupations.txt")
        for _, line in lines_of(path / name)
    ]
    pairs = []
    for split in splits:
        for kind in TYPES:
            files = [path / f"{side}_stereotyped_{kind}.txt.{split}" for side in ("pro", "anti")]
            pro, anti = (_mentions(file, occupations) for file in files)
            if len(pro) != len(anti):
                raise BadInputError(
                    f"{files[1]}: {len(anti)} sentences, but {files[0].name} has {len(pro)}; "
                    "fetch both again"
                )
            pairs += [Pair(f"{kind} {split}", *both) for both in zip(pro, anti, strict=True)]
    return pairs


def _mentions(file: Path, occupations: Sequence[str]) -> list[Mention]:
    mentions = []
    for number, line in lines_of(file):
        _, _, sentence = line.partition(" ")
        marked = [found.strip() for found in _BRACKETS.findall(sentence)]
        pronouns = [word for word in marked[1:] if word.lower() in PRONOUNS]
        if not pronouns:
            raise wrong_line(
                file, number, "needs [an entity] and then [a pronoun], each in brackets"
            )
        entity = re.sub(r"^(the|an?) ", "", marked[0].lower())
        plain = _BRACKETS.sub(r"\1", sentence)
        places = {
            name: found.start
            for name in occupations
            if name != entity and (found := find_term(plain, name))
        }
        if not places:
            raise wrong_line(file, number, f"no occupation but {entity!r} in the sentence")
        # The first one: a third occupation is a mere word of the story.
        other = min(places, key=lambda name: places[name])
        mentions.append(Mention(plain, pronouns[0], f"the {entity}", f"the {other}"))
    return mentions


Counts = Float[ndarray, "... pairs"]


def gap(pro: Counts, anti: Counts, pairs: Counts) -> Float[ndarray, "..."]:
    """acc(pro) - acc(anti): 0 where the stereotype does not matter."""
    return ratio_of_sums(pro - anti, pairs)


class WinoBias(Task):
    """The pairs, encoded for one model."""

    rules = RULES

    def __init__(self, pairs: Sequence[Pair], encoder: Encoder) -> None:
        encoded = [(*pair.pro.asked(encoder), *pair.anti.asked(encoder)) for pair in pairs]
        fitting = encoder.fitting(list(map(longest, encoded)), "WinoBias")
        self.size = {"pairs": len(fitting), "left_out": len(pairs) - len(fitting)}
        self.asked = [each for index in fitting for each in encoded[index]]
        self._groups = groups_of([pairs[index].group for index in fitting])

    def measures(self, log_probs: LogProbs) -> list[Measure]:
        """The gap, overall and for each type and split; competence is accuracy on both sides."""
        found = []
        for rule, values in margins(log_probs).items():
            right = (values > 0).reshape(-1, 2)
            for group, own in self._groups.items():
                found += _measures(rule, group, right[own])
        return found


def _measures(rule: str, group: str, right: Bool[ndarray, "pairs 2"]) -> list[Measure]:
    pro, anti = right.astype(float).T
    ones = np.ones(len(right))
    return [
        Measure(rule, group, "gap", "bias", 0.0, gap, (pro, anti, ones), additive=True),
        *(
            Measure.share((rule, group, name), "competence", 0.5, hits, counts, choices.ravel())
            for name, hits, counts, choices in (
                ("accuracy", pro + anti, 2 * ones, right),
                ("accuracy_pro", pro, ones, right[:, 0]),
                ("accuracy_anti", anti, ones, right[:, 1]),
            )
        ),
    ]
