"""Naming by the lexicon: counts, probabilities and what is not named."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.interpretation.categories import Category, lexicon_categories
from evenkeel.interpretation.enrichment import enrichments, firing_words, holds, words_of
from evenkeel.interpretation.evidence import Evidence
from evenkeel.interpretation.offline import OfflineInterpreter
from evenkeel.interpretation.records import Explanation, Failure
from evenkeel.sae.results import Context
from tests.interpretation.cases import JOBS, MEN, WOMEN, context, contexts_on, evidence_on

CATEGORIES = (
    Category("women", "gender", frozenset(WOMEN)),
    Category("men", "gender", frozenset(MEN)),
    Category("jobs", None, frozenset(JOBS)),
    Category("unseen", None, frozenset({"zebra"})),
)


def pieces(tokens: list[str], activations: list[float]) -> Context:
    return Context.model_validate(
        {
            "feature": 0,
            "kind": "top",
            "rank": 0,
            "tokens": tuple(tokens),
            "activations": tuple(activations),
            "peak": int(np.argmax(activations)),
        }
    )


def test_a_word_fires_as_its_strongest_piece_does() -> None:
    found = words_of(pieces(["The", " recept", "ionist", " was", " late", "."], [0, 1, 7, 2, 0, 3]))
    assert [(word.text, word.activation) for word in found] == [
        ("The", 0),
        ("receptionist", 7),
        ("was", 2),
        ("late", 0),
        (".", 3),
    ]


def test_the_figures_are_those_of_the_hypergeometric_distribution() -> None:
    rows = contexts_on(1, WOMEN)
    found = {(e.category, e.relation): e for _, e in enrichments(rows, CATEGORIES)}
    women = found["women", "on"]
    assert (women.words, women.category_words, women.active_words) == (8 * 48, 24, 24)
    assert (women.overlap, women.precision, women.recall) == (24, 1.0, 1.0)
    assert women.phi == pytest.approx(1.0)
    # All of 24 drawn are among the 24 of 384: one way out of all.
    assert women.p == pytest.approx(1 / math.comb(384, 24), rel=1e-6)
    assert found["men", "on"].p == pytest.approx(1.0)
    assert "unseen" not in {category for category, _ in found}


@given(st.integers(0, 10_000))
def test_phi_is_the_correlation_and_q_is_no_less_than_p(seed: int) -> None:
    rng = random.Random(seed)
    words = [*WOMEN, *MEN, *JOBS, "cold", "home"]
    rows = []
    for rank in range(6):
        text = [rng.choice(words) for _ in range(8)]
        rows.append(context(0, "top", rank, text, lambda word, i, r=rank: (i + r + seed) % 3 == 0))
    for category, found in enrichments(rows, CATEGORIES):
        if found.relation == "on":
            fires = np.array([a > 0 for row in rows for a in row.activations])
            member = np.array([t.strip() in category.words for row in rows for t in row.tokens])
            assert found.phi == pytest.approx(np.corrcoef(fires, member)[0, 1])
        assert 0 <= found.p <= found.q <= 1


def test_what_follows_a_word_counts_as_after_it() -> None:
    rows = [context(0, "top", 0, ["the", "queen", "was", "late"], lambda word, i: i >= 2)]
    rows += [
        context(0, "silent", r, ["the", "king", "was", "late"], lambda w, i: False) for r in (0, 1)
    ]
    found = {(e.category, e.relation): e for _, e in enrichments(rows, CATEGORIES)}
    assert found["women", "after"].phi == pytest.approx(1.0)
    assert found["women", "on"].overlap == 0
    assert holds(rows[0], CATEGORIES[0], "after")
    ends = context(0, "top", 0, ["the", "queen"], lambda w, i: i == 1)
    assert holds(ends, CATEGORIES[0], "on")
    assert not holds(ends, CATEGORIES[0], "after")


def test_a_feature_that_never_fires_has_no_enrichment() -> None:
    rows = [context(0, "silent", 0, ["the", "queen"], lambda word, i: False)]
    assert enrichments(rows, CATEGORIES) == []


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("The Queen left", True),
        ("two queens left", True),
        ("queenly", False),
        ("the old neighbor left", True),
        ("an old, grumpy neighbor", False),
        ("waitresses", True),
    ],
)
def test_categories_match_whole_words(text: str, matches: bool) -> None:
    category = Category("c", None, frozenset({"queen", "old neighbor", "waitress"}))
    assert bool(category.pattern.search(text)) is matches


def test_the_lexicons_categories_are_named_once_and_hold_words() -> None:
    categories = lexicon_categories()
    names = [category.name for category in categories]
    assert len(set(names)) == len(names)
    by_name = {category.name: category for category in categories}
    assert {"she", "herself"} <= by_name["pronouns of women"].words
    assert "nurse" in by_name["occupations of women, mostly"].words
    assert by_name["occupations"].axis is None
    assert all(category.words for category in categories)


def test_a_feature_is_named_after_what_it_fires_on() -> None:
    interpreter = OfflineInterpreter(lexicon_categories(), max_q=0.05)
    women, men, jobs = interpreter.explain(
        [evidence_on(1, WOMEN), evidence_on(2, MEN), evidence_on(3, JOBS)]
    )
    assert isinstance(women, Explanation)
    assert (women.label, women.about_axis) == ("women", "gender")
    assert set(women.evidence) <= set(WOMEN)
    assert "100% of the words on which it fires are women" in women.explanation
    assert women.confidence is None
    assert isinstance(men, Explanation)
    assert men.label == "men"
    assert isinstance(jobs, Explanation)
    assert (jobs.label, jobs.about_axis) == ("occupations", None)


def test_a_category_that_is_a_small_part_of_what_a_feature_fires_on_is_no_name() -> None:
    rows = [
        context(
            0,
            "top",
            rank,
            ["walked", "home", WOMEN[rank % 4], "was", "late", "and"],
            lambda word, i: word in (*WOMEN, "home", "late"),
        )
        for rank in range(20)
    ]
    found = {e.relation: e for _, e in enrichments(rows, CATEGORIES[:1])}["on"]
    assert found.q < 1e-6, "more than chance would have it"
    assert found.precision == pytest.approx(1 / 3)
    assert found.phi == pytest.approx(3 / 45**0.5)  # below one half
    evidence = Evidence(0, (), (), shown=tuple(rows), contrast=(), test=())
    (outcome,) = OfflineInterpreter(CATEGORIES[:1], max_q=0.05).explain([evidence])
    assert isinstance(outcome, Failure)
    assert outcome.kind == "no_enrichment"


def test_a_feature_of_nothing_in_the_lexicon_gets_no_name() -> None:
    interpreter = OfflineInterpreter(CATEGORIES, max_q=0.05)
    (failure,) = interpreter.explain([evidence_on(1, ["bridge"])])
    assert isinstance(failure, Failure)
    assert failure.kind == "no_enrichment"


def test_words_that_a_feature_fires_on_are_ranked_and_counted_once() -> None:
    rows = [
        context(0, "top", 0, ["The", "Queen", "and", "the", "king"], lambda w, i: w != "and"),
        context(0, "top", 1, ["the", "queen"], lambda word, i: True),
        context(0, "silent", 0, ["a", "bridge"], lambda word, i: False),
    ]
    assert firing_words(rows) == ("The", "Queen", "king")
    assert firing_words(rows, most=1) == ("The",)
    assert firing_words(rows[2:]) == firing_words([]) == ()
