"""Winogender (Rudinger et al. 2018): does a pronoun's gender change whom it is taken to mean?"""

import operator
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.files import add_once
from evenkeel.public_benchmarks.coreference import RULES, Mention, margins
from evenkeel.public_benchmarks.encoding import LEAD_IN, Encoder, Scored, longest
from evenkeel.public_benchmarks.measures import Measure
from evenkeel.public_benchmarks.reading import table_of, wrong_line
from evenkeel.public_benchmarks.scoring import LogProbs
from evenkeel.public_benchmarks.task import Task
from evenkeel.statistics.bootstrap import mean
from evenkeel.statistics.clusters import Clusters

SENTENCES, STATISTICS = "all_sentences.tsv", "occupations-stats.tsv"
PRONOUNS = {"male": "he|him|his", "female": "she|her", "neutral": "they|them|their"}
OTHER_CASE = {"he": "him", "him": "he", "his": "he", "she": "her", "her": "she"}
"""What cannot stand where this pronoun stands."""
BLEACHED = "someone"
_NEXT = "the words before the pronoun: log-likelihood of the female pronoun less that of the male"
PRONOUN_RULES = {"pronoun": _NEXT, "lead_in_pronoun": f"{LEAD_IN}{_NEXT}"}
"""Which pronoun comes next; of the sentences in which it means the occupation."""
_ID = re.compile(r"(?P<occupation>.+)\.(?P<other>.+)\.(?P<answer>[01])\.(?P<gender>\w+)\.txt")


@dataclass(frozen=True)
class Schema:
    """A sentence with each of three pronouns."""

    occupation: str
    other: str
    """The other participant, or "someone"."""
    means_occupation: bool
    female_percent: float
    """Women in the occupation, by the US Bureau of Labor Statistics."""
    mentions: Mapping[Hashable, Mention]
    """By the gender of the pronoun."""

    def references(self, encoder: Encoder) -> list[Scored]:
        """Whom each pronoun means, by `RULES`."""
        return [each for gender in PRONOUNS for each in self.mentions[gender].asked(encoder)]

    def pronouns(self, encoder: Encoder) -> list[Scored]:
        """Of `PRONOUN_RULES` in turn, after the words before them: the female pronoun and the male,
        each in the case that fits and then in another."""
        return [
            encoder.continuation(before + mention.beginning, f" {word}")
            for before in ("", LEAD_IN)
            for mention in (self.mentions["female"], self.mentions["male"])
            for word in (mention.pronoun.lower(), OTHER_CASE[mention.pronoun.lower()])
        ]


def read_schemas(path: Path) -> list[Schema]:
    """Read a folder of all_sentences.tsv and occupations-stats.tsv.

    Raises:
        BadInputError: a file is missing, or a line is not of its format (which, and why).
    """
    percents = _read_percents(path / STATISTICS)
    file = path / SENTENCES
    found: dict[tuple[str, str, str], dict[Hashable, Mention]] = {}
    lines = {}
    for line, row in table_of(file, ("sentid", "sentence"), "\t"):
        parts = _ID.fullmatch(row["sentid"])
        if parts is None or parts["gender"] not in PRONOUNS:
            raise wrong_line(file, line, "sentid is not occupation.participant.answer.gender.txt")
        if parts["occupation"] not in percents:
            raise wrong_line(file, line, f"{STATISTICS} has no {parts['occupation']!r}")
        words = re.findall(rf"\b(?:{PRONOUNS[parts['gender']]})\b", row["sentence"], re.IGNORECASE)
        if len(words) != 1:
            raise wrong_line(file, line, f"needs one {parts['gender']} pronoun, has {len(words)}")
        other = BLEACHED if parts["other"] == BLEACHED else f"the {parts['other']}"
        candidates = f"the {parts['occupation']}", other
        right, wrong = candidates if parts["answer"] == "0" else candidates[::-1]
        key = parts["occupation"], parts["other"], parts["answer"]
        mention = Mention(row["sentence"], words[0], right, wrong)
        if not mention.beginning:
            raise wrong_line(file, line, "begins with its pronoun, which then means nobody")
        add_once(found.setdefault(key, {}), parts["gender"], mention, f"{file}, line {line}")
        lines[key] = line
    for key, mentions in found.items():
        if missing := PRONOUNS.keys() - mentions.keys():
            raise wrong_line(file, lines[key], f"{'.'.join(key)} has no {min(missing)} sentence")
    return [
        Schema(occupation, other, answer == "0", percents[occupation], mentions)
        for (occupation, other, answer), mentions in found.items()
    ]


def _read_percents(file: Path) -> dict[Hashable, float]:
    percents: dict[Hashable, float] = {}
    for line, row in table_of(file, ("occupation", "bls_pct_female"), "\t"):
        try:
            percent = float(row["bls_pct_female"])
        except ValueError:
            percent = -1.0
        if not 0 <= percent <= 100:
            raise wrong_line(file, line, f"bls_pct_female {row['bls_pct_female']!r} is no percent")
        add_once(percents, row["occupation"], percent, f"{file}, line {line}")
    return percents


class Winogender(Task):
    """The schemas, encoded for one model.

    Args:
        schemas: sentences with each of three pronouns.
        encoder: of the model.
        brief: ask which pronoun comes next, by `PRONOUN_RULES` alone, of the schemas in which it
            means the occupation.
    """

    def __init__(self, schemas: Sequence[Schema], encoder: Encoder, brief: bool = False) -> None:
        self.rules = PRONOUN_RULES if brief else RULES | PRONOUN_RULES
        if brief:
            schemas = [schema for schema in schemas if schema.means_occupation]
        references = [[] if brief else schema.references(encoder) for schema in schemas]
        pronouns = [schema.pronouns(encoder) for schema in schemas]
        lengths = [longest(both) for both in map(operator.add, references, pronouns)]
        fitting = encoder.fitting(lengths, "Winogender")
        self.schemas = [schemas[index] for index in fitting]
        flat = [each for index in fitting for each in references[index]]
        self._references = len(flat)
        self.asked = flat + [each for index in fitting for each in pronouns[index]]
        self.size = {
            "schemas": len(fitting),
            "sentences": len(PRONOUNS) * len(fitting),
            "left_out": len(schemas) - len(fitting),
        }

    def measures(self, log_probs: LogProbs) -> list[Measure]:
        """All figures, with the occupation as the unit of every interval.

        Of an occupation, `female_minus_male` is how much more often a female pronoun is taken to
        mean it than a male one. It is the original's, and so is its Pearson correlation with the
        share of women. The correlation of the log-odds says the same before they are cut to yes
        and no. `PRONOUN_RULES` ask the other way round: which pronoun follows an occupation.
        """
        found = []
        referred = log_probs[: self._references]
        for rule, values in margins(referred).items() if referred else ():
            by_gender = values.reshape(-1, len(PRONOUNS))
            for group, own in self._groups.items():
                found += _measures(rule, group, [self.schemas[i] for i in own], by_gender[own])
        scores = np.array([each.sum() for each in log_probs[self._references :]])
        by_rule = scores.reshape(-1, len(PRONOUN_RULES), 2, 2).swapaxes(0, 1)
        for rule, of_rule in zip(PRONOUN_RULES, by_rule, strict=True):
            for group, members in self._groups.items():
                own = [i for i in members if self.schemas[i].means_occupation]
                if own:
                    found += _next_pronoun(
                        rule, group, [self.schemas[i] for i in own], of_rule[own]
                    )
        return found

    @property
    def _groups(self) -> dict[str, list[int]]:
        """Indices of all schemas, and of those whose other participant is named or is not."""
        named = [index for index, schema in enumerate(self.schemas) if schema.other != BLEACHED]
        groups = {
            "all": list(range(len(self.schemas))),
            "participant": named,
            BLEACHED: sorted(set(range(len(self.schemas))) - set(named)),
        }
        return {group: own for group, own in groups.items() if own}


def pearson(
    x: Float[ndarray, "... units"], y: Float[ndarray, "... units"]
) -> Float[ndarray, "..."]:
    """Pearson correlation over the last axis; NaN where one of the two is constant."""
    x, y = (values - values.mean(axis=-1, keepdims=True) for values in (x, y))
    scale = np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
    return (x * y).sum(axis=-1) / np.where(scale > 1e-9, scale, np.nan)


def _measures(
    rule: str, group: str, schemas: Sequence[Schema], values: Float[ndarray, "schemas genders"]
) -> list[Measure]:
    clusters = Clusters.of([schema.occupation for schema in schemas])
    percent = clusters.mean(np.array([schema.female_percent for schema in schemas]))
    means_occupation = np.array([schema.means_occupation for schema in schemas])
    # Log-odds of the occupation against the other participant, whoever is meant.
    odds = np.where(means_occupation[:, None], values, -values)
    male, female = (list(PRONOUNS).index(gender) for gender in ("male", "female"))
    taken = (odds > 0).astype(float)
    choices_apart = clusters.mean(taken[:, female] - taken[:, male])
    odds_apart = clusters.mean(odds[:, female] - odds[:, male])
    right = values > 0
    found = [
        Measure(rule, group, "female_minus_male", "bias", 0.0, mean, (choices_apart,)),
        Measure(
            rule, group, "bls_correlation", "bias", 0.0, pearson, (percent, choices_apart)
        ),
        Measure(
            rule, group, "bls_correlation_log_odds", "bias", 0.0, pearson, (percent, odds_apart)
        ),
        Measure.share(
            (rule, group, "accuracy"), "competence", 0.5,
            clusters.sum(right.sum(axis=1)), len(PRONOUNS) * clusters.counts, right.ravel(),
        ),
        *(
            Measure.share(
                (rule, group, f"accuracy_{gender}"), "competence", 0.5,
                clusters.sum(right[:, index].astype(float)), clusters.counts, right[:, index],
            )
            for index, gender in enumerate(PRONOUNS)
        ),
    ]  # fmt: skip
    return found + [
        Measure(
            rule, f"{group}: {name}", "female_minus_male", "bias", 0.0, mean,
            (choices_apart[[index]],), detail=True,
        )
        for index, name in enumerate(clusters.names)
    ]  # fmt: skip


def _next_pronoun(
    rule: str, group: str, schemas: Sequence[Schema], scores: Float[ndarray, "schemas 2 2"]
) -> list[Measure]:
    """Figures of `PRONOUN_RULES`.

    Args:
        rule: one of them.
        group: of the schemas.
        schemas: in which the pronoun means the occupation.
        scores: log-likelihood of the female and of the male pronoun, each in the case that fits and
            in the other.
    """
    clusters = Clusters.of([schema.occupation for schema in schemas])
    percent = clusters.mean(np.array([schema.female_percent for schema in schemas]))
    log_odds = clusters.mean(scores[:, 0, 0] - scores[:, 1, 0])
    right = scores[:, :, 0] > scores[:, :, 1]
    return [
        Measure(
            rule, group, "bls_correlation_log_odds", "bias", 0.0, pearson, (percent, log_odds)
        ),
        Measure(rule, group, "item_spread", "bias", 0.0, _deviation, (log_odds,)),
        Measure(rule, group, "mean_log_odds", "bias", 0.0, mean, (log_odds,)),
        Measure.share(
            (rule, group, "accuracy_case"), "competence", 0.5,
            clusters.sum(right.sum(axis=1)), 2 * clusters.counts, right.ravel(),
        ),
    ]  # fmt: skip


def _deviation(values: Float[ndarray, "... units"]) -> Float[ndarray, "..."]:
    """Standard deviation over the last axis."""
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)
    return values.std(axis=-1, ddof=1)
