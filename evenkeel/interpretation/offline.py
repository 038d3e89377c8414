"""Naming features without a language model, by the lexicon's words."""

from collections.abc import Sequence
from typing import Literal

from evenkeel.interpretation.categories import Category
from evenkeel.interpretation.enrichment import ACTIVE_SHARE, belongs, enrichments, holds, words_of
from evenkeel.interpretation.evidence import Evidence
from evenkeel.interpretation.records import Enrichment, Explanation, Failure, Relation

MIN_PHI = 0.5
"""Correlation between firing and a category below which the category is no name: a significant
overlap may still be a small one."""


class OfflineInterpreter:
    """Names a feature after the category that its words fit best; judges by the same category.

    Args:
        categories: what a feature can be named after.
        max_q: a category whose enrichment has a higher q-value names nothing.
    """

    backend: Literal["offline"] = "offline"
    model = None

    def __init__(self, categories: Sequence[Category], max_q: float) -> None:
        self._categories = {category.name: category for category in categories}
        self._max_q = max_q

    def explain(self, evidence: Sequence[Evidence]) -> list[Explanation | Failure]:
        """An explanation of each feature, or why there is none."""
        return [self._explain(feature) for feature in evidence]

    def _explain(self, evidence: Evidence) -> Explanation | Failure:
        ranked = enrichments([*evidence.shown, *evidence.contrast], list(self._categories.values()))
        fitting = [pair for pair in ranked if pair[1].q < self._max_q and pair[1].phi >= MIN_PHI]
        if not fitting:
            return Failure(
                kind="no_enrichment",
                message="no category of the lexicon is what it fires on",
            )
        category, enrichment = fitting[0]
        return Explanation(
            label=enrichment.category
            if enrichment.relation == "on"
            else f"after: {enrichment.category}",
            explanation=_describe(enrichment),
            about_axis=category.axis,
            confidence=None,
            evidence=_firing_words(evidence, category, enrichment.relation),
            enrichment=enrichment,
        )

    def judge(
        self, cases: Sequence[tuple[Evidence, Explanation]]
    ) -> list[tuple[bool, ...] | Failure]:
        """For each test context, whether it holds the words that the explanation names."""
        verdicts: list[tuple[bool, ...] | Failure] = []
        for evidence, explanation in cases:
            named = explanation.enrichment
            assert named is not None, "an explanation of another backend"
            category = self._categories[named.category]
            verdicts.append(tuple(holds(c, category, named.relation) for c in evidence.test))
        return verdicts


def _describe(enrichment: Enrichment) -> str:
    what = "are" if enrichment.relation == "on" else "come after"
    return (
        f"By the lexicon: {enrichment.precision:.0%} of the words on which it fires {what} "
        f"{enrichment.category}, and it fires on {enrichment.recall:.0%} of such words "
        f"({enrichment.overlap} of {enrichment.category_words}; "
        f"hypergeometric q = {enrichment.q:.2g})."
    )


def _firing_words(evidence: Evidence, category: Category, relation: Relation) -> tuple[str, ...]:
    """Distinct words on which it fires, in the order of their first occurrence."""
    rows = [(context, words_of(context)) for context in evidence.shown]
    peak = max(word.activation for _, row in rows for word in row)
    firing = [
        word.text
        for context, row in rows
        for word, inside in zip(row, belongs(context, row, category, relation), strict=True)
        if inside and word.activation >= ACTIVE_SHARE * peak
    ]
    return tuple(dict.fromkeys(firing))[:10]
