from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from evenkeel.axes import AXES, SPLITS
from evenkeel.datasets.records import Statement
from evenkeel.datasets.statements import make_statements
from evenkeel.errors import BadInputError


@pytest.fixture(scope="module")
def statements() -> list[Statement]:
    return make_statements(list(AXES), 100, seed=0, lead_ins=True)


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
    assert make_statements(list(AXES), 100, seed=0, lead_ins=True) == statements
    assert make_statements(list(AXES), 100, seed=1, lead_ins=True) != statements


def test_an_axis_does_not_depend_on_the_others(statements: list[Statement]) -> None:
    alone = make_statements(["age"], 100, seed=0, lead_ins=True)
    assert alone == [row for row in statements if row.axis == "age"]


def test_counts(statements: list[Statement]) -> None:
    for axis, rows in group_by(statements, lambda row: row.axis).items():
        quads = group_by(rows, lambda row: row.split)
        sentences = 2 * len(AXES[str(axis)].groups)
        assert [len(quads[split]) / sentences for split in SPLITS] == [50, 25, 25]
    assert len({row.id for row in statements}) == len(statements)


def test_every_group_of_every_axis_is_spoken_of_in_every_split(
    statements: list[Statement],
) -> None:
    for axis in AXES.values():
        for split in SPLITS:
            rows = [row for row in statements if (row.axis, row.split) == (axis.name, split)]
            labels = Counter((row.group, row.label) for row in rows)
            assert {group for group, _ in labels} == set(axis.group_names)
            assert len(set(labels.values())) == 1


def test_a_biased_statement_says_what_is_held_against_its_group(
    statements: list[Statement],
) -> None:
    for row in statements:
        axis = AXES[row.axis]
        attributes = axis.attributes[row.split]
        said = (
            {a.stereotype(row.group) for a in attributes}
            if row.label == "biased"
            else {a.unbiased() for a in attributes}
        )
        assert row.terms[1] in said
        assert f"the {row.terms[0]}" in axis.definitional_subjects(row.split, row.group)


def test_a_quad_has_one_lead_in(statements: list[Statement]) -> None:
    for rows in group_by(statements, lambda row: row.quad).values():
        assert len({row.lead_in for row in rows}) == 1
        assert rows[0].lead_in.endswith(". ")
    without = make_statements(["age"], 100, seed=0, lead_ins=False)
    assert {row.lead_in for row in without} == {""}


def test_a_pair_differs_in_the_attribute_only(statements: list[Statement]) -> None:
    for biased, neutral in group_by(statements, lambda row: row.pair).values():
        assert (biased.label, neutral.label) == ("biased", "neutral")
        assert biased.template == neutral.template
        assert biased.terms[0] == neutral.terms[0]
        said = differing(biased, neutral)
        assert biased.terms[1].endswith(said[0])
        assert neutral.terms[1].endswith(said[1])
        assert said[0] != said[1]


def test_the_neutral_sentences_of_a_quad_differ_in_the_group_term_only(
    statements: list[Statement],
) -> None:
    for rows in group_by(statements, lambda row: row.quad).values():
        first, *others = (row for row in rows if row.label == "neutral")
        assert (first.group, *(row.group for row in others)) == AXES[first.axis].group_names
        for other in others:
            assert first.terms[1] == other.terms[1]
            said = differing(first, other)
            assert said[0] in first.terms[0]
            assert said[1] in other.terms[0]
            assert said[0] != said[1]


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
        make_statements(["gender", "race"], 1000, seed=0, lead_ins=True)


def test_all_quads_of_the_lexicon_can_be_asked_for() -> None:
    made = make_statements(["gender"], 576, seed=0, lead_ins=True)
    assert sum(row.split == "validation" for row in made) == 4 * 144
