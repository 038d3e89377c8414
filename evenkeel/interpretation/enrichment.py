"""Which category's words a feature fires on, more often than chance would have it."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from scipy.stats import false_discovery_control, hypergeom

from evenkeel.interpretation.categories import Category
from evenkeel.interpretation.evidence import text_of
from evenkeel.interpretation.records import Enrichment, Relation
from evenkeel.sae.results import Context

ACTIVE_SHARE = 0.5
"""A word is one that the feature fires on from this share of its greatest activation on."""

_WORD = re.compile(r"\w+(?:[-'’]\w+)*|[^\w\s]")


@dataclass(frozen=True)
class Word:
    """A word of a context, and the greatest activation on any token that it shares letters with."""

    start: int
    end: int
    text: str
    activation: float


def words_of(context: Context) -> list[Word]:
    """The words and punctuation marks of a context, in order.

    Tokens are pieces of words (" recept", "ionist"); categories hold words.
    """
    text = text_of(context)
    letters = np.repeat(context.activations, [len(token) for token in context.tokens])
    return [
        Word(m.start(), m.end(), m.group(), float(letters[m.start() : m.end()].max()))
        for m in _WORD.finditer(text)
    ]


def firing_words(contexts: Sequence[Context], most: int = 10) -> tuple[str, ...]:
    """The words on which a feature fires, by falling total activation, in any case counted once.

    Args:
        contexts: of one feature; those in which it does not fire add nothing.
        most: words to return.
    """
    words = [word for context in contexts for word in words_of(context)]
    peak = max((word.activation for word in words), default=0.0)
    totals: dict[str, float] = defaultdict(float)
    spelling: dict[str, str] = {}
    for word in words:
        if word.activation > 0 and word.activation >= ACTIVE_SHARE * peak:
            totals[word.text.casefold()] += word.activation
            spelling.setdefault(word.text.casefold(), word.text)
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    return tuple(spelling[name] for name in ranked[:most])


def enrichments(
    contexts: Sequence[Context], categories: Sequence[Category]
) -> list[tuple[Category, Enrichment]]:
    """How each category's words, and what follows them, overlap with what a feature fires on.

    The population are all words of `contexts`; drawn from it are those on which the feature fires.
    Words of one text depend on one another, so that p is a measure to rank and to filter by rather
    than an exact probability; the test on held-out contexts is what tells whether the name holds.

    Args:
        contexts: of one feature, activating and non-activating ones.
        categories: what to compare with; those of which no word occurs are left out.

    Returns:
        By falling `phi`: one for each category and relation that differs from its opposite.
    """
    words = [words_of(context) for context in contexts]
    activation = np.array([word.activation for row in words for word in row])
    if not activation.size or activation.max() <= 0:
        return []
    active = activation >= ACTIVE_SHARE * activation.max()
    overlaps = []
    for category in categories:
        for relation in get_args(Relation):
            rows = zip(contexts, words, strict=True)
            inside = np.concatenate([belongs(c, row, category, relation) for c, row in rows])
            inside = inside.astype(bool)  # a context without a word makes it a list of floats
            n, k = int(active.sum()), int((active & inside).sum())
            population, members = len(active), int(inside.sum())
            if 0 < members < population and n < population:
                p = float(hypergeom.sf(k - 1, population, members, n))
                overlaps.append((category, relation, (population, members, n, k), p))
    if not overlaps:
        return []
    q = false_discovery_control([p for *_, p in overlaps], method="bh")
    result = [
        (category, _enrichment(category, relation, *counts, p, float(corrected)))
        for (category, relation, counts, p), corrected in zip(overlaps, q, strict=True)
    ]
    return sorted(result, key=lambda pair: (-pair[1].phi, pair[1].relation, pair[0].name))


def belongs(
    context: Context, words: Sequence[Word], category: Category, relation: Relation
) -> list[bool]:
    """For each word of a context, whether it is the category's, or follows one that is."""
    spans = [match.span() for match in category.pattern.finditer(text_of(context))]
    if relation == "on":
        return [any(start < w.end and w.start < end for start, end in spans) for w in words]
    return [bool(spans) and w.start >= spans[0][1] for w in words]


def _enrichment(
    category: Category,
    relation: Relation,
    words: int,
    members: int,
    n: int,
    k: int,
    p: float,
    q: float,
) -> Enrichment:
    spread = members * (words - members) * n * (words - n)
    return Enrichment(
        category=category.name,
        relation=relation,
        words=words,
        category_words=members,
        active_words=n,
        overlap=k,
        precision=k / n,
        recall=k / members,
        phi=(words * k - members * n) / spread**0.5,
        p=p,
        q=q,
    )


def holds(context: Context, category: Category, relation: Relation) -> bool:
    """Whether a context has a word on which a feature of this kind would fire."""
    text = text_of(context)
    match = category.pattern.search(text)
    return match is not None and (relation == "on" or bool(_WORD.search(text, match.end())))
