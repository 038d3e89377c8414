"""The interpretation of a feature: an explanation, and how well it stands up to a test."""

import json
from typing import Literal

from evenkeel.datasets.records import Record
from evenkeel.params import Axis

FailureKind = Literal[
    "refusal",
    "content_filter",
    "rejected",
    "malformed",
    "cut_off",
    "timeout",
    "server",
    "budget",
    "too_few_contexts",
    "no_enrichment",
]
"""Why a request or a feature has no result:

refusal           the model declines to answer
content_filter    the server's moderation stopped the request or its answer
rejected          the server does not take this request, and would not take it again
malformed         what was answered is not what was asked for
cut_off           the answer is longer than it may be
timeout           no answer in time; may pass
server            the server fails, is overloaded or answers with something else; may pass
budget            not asked, because the budget could be passed
too_few_contexts  the feature fires too seldom
no_enrichment     no category of the lexicon fits (offline)
"""
TRANSIENT: frozenset[FailureKind] = frozenset({"timeout", "server"})
"""Failures that may pass: the same request may fare better in the next run."""

Relation = Literal["on", "after"]


class Failure(Record):
    """Why there is no explanation, or no test of it. Never stands in for either."""

    kind: FailureKind
    message: str


class Enrichment(Record):
    """How far the words on which a feature fires are the words of one category."""

    category: str
    relation: Relation
    """Whether it fires on the category's words themselves or on what follows them in a text."""
    words: int
    """Words of the contexts (N)."""
    category_words: int
    """Those that are in the category, or after one that is (K)."""
    active_words: int
    """Those on which the feature fires (n)."""
    overlap: int
    """Both (k)."""
    precision: float
    """k / n: the share of the feature's words that are the category's."""
    recall: float
    """k / K: the share of the category's words on which the feature fires."""
    phi: float
    """Correlation of the two, which 0 means none of, whatever their frequencies."""
    p: float
    """P(overlap >= k) if the feature's words were drawn without regard to the category."""
    q: float
    """p after Benjamini-Hochberg correction over categories and relations."""


class Explanation(Record):
    """What a feature means, in words."""

    label: str
    """A few words."""
    explanation: str
    """One or two sentences."""
    about_axis: Axis | None
    """The kind of bias that it has to do with."""
    confidence: float | None
    """From 0 to 1, as the explainer puts it (openai only)."""
    evidence: tuple[str, ...]
    """Words that support it, all taken from the contexts shown."""
    enrichment: Enrichment | None = None
    """What the name rests on (offline only)."""


class Detection(Record):
    """How well a judge who knows only the explanation tells where the feature fires."""

    contexts: int
    """Held-out contexts judged, half of them activating."""
    balanced_accuracy: float
    """Mean of the next two; 0.5 is chance."""
    balanced_accuracy_ci95: tuple[float, float]
    """Wilson score interval."""
    sensitivity: float
    """Share of the activating contexts that the judge found."""
    specificity: float
    """Share of the others that it left alone."""


class Interpretation(Record):
    """One line of interpretations.jsonl: a feature with its explanation or its failure."""

    feature: int
    axes: tuple[Axis, ...]
    """Axes with which it is associated; none if it was only listed."""
    backend: Literal["offline", "openai"]
    """Who explained it, and who judged the explanation."""
    model: str | None
    """The language model (openai only)."""
    explanation: Explanation | None
    failure: Failure | None
    """Why it has no explanation."""
    detection: Detection | None
    detection_failure: Failure | None
    """Why it has an explanation but no score."""
    fires_on: tuple[str, ...] = ()
    """Words of its top contexts on which it fires, those with the greatest total activation first:
    what can be shown of a feature without a label."""
    promotes: tuple[str, ...] = ()
    """Tokens whose logits it raises most, the strongest first."""

    @property
    def description(self) -> str:
        """What it fires on and what it promotes, three words of each; empty if neither is known."""
        parts = (("fires on", self.fires_on), ("promotes", self.promotes))
        return "; ".join(
            f"{verb} {', '.join(json.dumps(word, ensure_ascii=False) for word in words[:3])}"
            for verb, words in parts
            if words
        )

    @property
    def summary(self) -> str:
        """The label; without one the description, or in parentheses the kind of failure."""
        if self.explanation is not None:
            return self.explanation.label
        assert self.failure is not None
        return (self.fires_on and self.description) or f"({self.failure.kind})"
