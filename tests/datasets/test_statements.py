from collections import defaultdict
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from evenkeel.axes import LEXICONS
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import SPLITS, Statement
from evenkeel.datasets.statements import make_statements
from evenkeel.errors import BadInputError

AXES = list(LEXICONS)


@pytest.fixture(scope="module")
def statements() -> list[Statement]:
    return make_statements(AXES, 100, seed=0)


def group_by(statements: list[Statement], key: Callable) -> dict[object, list[Statement]]:
    groups: dict[object, list[Statement]] = defaultdict(list)
    for statement in statements:
        groups[key(statement)].append(statement)
    return groups


def differing(one: Statement, other: Statement) -> tuple[str, str]:
    """What is left of two texts when their common beginning and end are taken away."""
    a, b = one.text.split(), other.text.split()
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return " ".join(a).rstrip("."), " ".join(b).rstrip(".")


def test_the_same_seed_writes_the_same_statements(statements: list[Statement]) -> None:
    assert make_statements(AXES, 100, seed=0) == statements
    assert make_statements(AXES, 100, seed=1) != statements


def test_an_axis_does_not_depend_on_the_others(statements: list[Statement]) -> None:
    alone = make_statements(["age"], 100, seed=0)
    assert alone == [row for row in statements if row.axis == "age"]


def test_counts(statements: list[Statement]) -> None:
    for rows in group_by(statements, lambda row: row.axis).values():
        quads = group_by(rows, lambda row: row.split)
        assert [len(quads[split]) // 4 for split in SPLITS] == [50, 25, 25]
    assert len({row.id for row in statements}) == len(statements)


def test_a_pair_differs_in_the_attribute_only(statements: list[Statement]) -> None:
    for biased, neutral in group_by(statements, lambda row: row.pair).values():
        assert (biased.label, neutral.label) == ("biased", "neutral")
        assert biased.template == neutral.template
        assert biased.terms[0] == neutral.terms[0]
        said = differing(biased, neutral)
        assert biased.terms[1].endswith(said[0])
        assert neutral.terms[1].endswith(said[1])
        assert said[0] != said[1]


def test_the_two_neutral_sentences_of_a_quad_differ_in_the_group_term_only(
    statements: list[Statement],
) -> None:
    for rows in group_by(statements, lambda row: row.quad).values():
        first, second = (row for row in rows if row.label == "neutral")
        assert (first.group, second.group) == LEXICONS[first.axis].groups
        assert first.terms[1] == second.terms[1]
        said = differing(first, second)
        assert said[0] in first.terms[0]
        assert said[1] in second.terms[0]
        assert said[0] != said[1]


def test_splits_share_no_template_and_no_term(statements: list[Statement]) -> None:
    prompts = make_prompts(0, 1.0)
    templates, terms = defaultdict(set), defaultdict(set)
    for row in statements:
        templates[row.split].add(row.template)
        terms[row.split] |= set(row.terms)
    for prompt in prompts:
        templates[prompt.split].add(prompt.template)
        terms[prompt.split].add(prompt.term)
    for one, other in combinations(SPLITS, 2):
        assert templates[one] & templates[other] == set()
        assert terms[one] & terms[other] == set()


@pytest.mark.parametrize("axis", AXES)
def test_template_and_length_do_not_tell_the_label(axis: str, statements: list[Statement]) -> None:
    """Within one split, where templates recur; half of the quads are held out."""
    rows = [row for row in statements if row.axis == axis and row.split == "train"]
    quads = sorted({row.quad for row in rows})
    fitted = set(quads[::2])
    templates = OneHotEncoder(sparse_output=False).fit_transform([[r.template] for r in rows])
    lengths = StandardScaler().fit_transform([[len(r.text), len(r.text.split())] for r in rows])
    features = np.hstack([templates, lengths])
    labels = np.array([row.label for row in rows])
    train = np.array([row.quad in fitted for row in rows])
    classifier = LogisticRegression().fit(features[train], labels[train])
    # 100 held-out sentences in matched pairs: 0.5 +- 2 standard errors
    assert classifier.score(features[~train], labels[~train]) == pytest.approx(0.5, abs=0.11)


@pytest.mark.parametrize("axis", AXES)
def test_words_and_lengths_of_one_split_do_not_tell_the_label_in_another(
    axis: str, statements: list[Statement]
) -> None:
    rows = [row for row in statements if row.axis == axis]
    words = CountVectorizer().fit_transform([row.text for row in rows]).toarray()
    labels = np.array([row.label for row in rows])
    train = np.array([row.split == "train" for row in rows])
    by_words = LogisticRegression(max_iter=1000).fit(words[train], labels[train])
    assert by_words.score(words[~train], labels[~train]) == pytest.approx(0.5, abs=0.02)
    lengths = StandardScaler().fit_transform([[len(row.text)] for row in rows])
    by_length = LogisticRegression().fit(lengths[train], labels[train])
    assert by_length.score(lengths[~train], labels[~train]) == pytest.approx(0.5, abs=0.1)


def test_more_quads_than_the_lexicon_makes_are_refused() -> None:
    with pytest.raises(
        BadInputError, match=r"quads_per_axis: 1000 needs 250 validation quads .* makes 144"
    ):
        make_statements(["gender", "race"], 1000, seed=0)
