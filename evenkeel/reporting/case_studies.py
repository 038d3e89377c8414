"""What the case studies found, as the report shows it."""

from collections.abc import Mapping, Sequence

from evenkeel.reporting.reading import Interval, Row


class Finding(Row):
    """A published claim, tested on the cases at hand."""

    claim: str
    verdict: str
    """confirmed, refuted or undecided."""
    difference: float | None
    """Positive if the claim holds."""
    difference_ci95: Interval | None = None


class BestCase(Row):
    """The case of a recipe that shifts the listed words most without collapse."""

    recipe: str
    layer: int
    multiplier: float
    shift: float
    """Of the words' log-odds, in nats."""
    shift_ci95: Interval | None = None
    perplexity: float | None
    """Of its continuations under the unsteered model."""


class AnswerShare(Row):
    """Share of the answers that are of a class; of a case, its change as well."""

    share: float | None
    share_ci95: Interval | None = None
    change: float | None = None
    change_ci95: Interval | None = None


class AnswerRow(Row):
    """What is answered under one case, or by the model as it is."""

    recipe: str | None
    layer: int | None
    multiplier: float | None
    classes: Mapping[str, AnswerShare]


class CaseStudies(Row):
    """demonstration.json."""

    best: Mapping[str, BestCase]
    agreement: Mapping[str, Mapping[str, float]]
    """Share of texts that a further backend continues as the first does, by recipe."""
    findings: Sequence[Finding]
    answers: Sequence[AnswerRow] = ()
    """The model as it is comes first; none if answers were not classified."""
