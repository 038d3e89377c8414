import re
from collections import Counter
from itertools import combinations, pairwise

import pytest

from evenkeel.axes import AXES, SPLITS, Axis
from evenkeel.params import DatasetParams


def words(texts: list[str]) -> set[str]:
    return {word for text in texts for word in text.lower().split()}


def subjects(axis: Axis, group: str) -> list[str]:
    return [s for split in SPLITS for s in axis.definitional_subjects(split, group)]


def test_every_axis_of_the_parameters_has_a_lexicon() -> None:
    axes = str(DatasetParams.model_fields["axes"].annotation)
    assert all(repr(axis) in axes for axis in AXES)
    assert len(AXES) == 6


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_an_axis_is_large_enough_in_every_split(axis: Axis) -> None:
    assert len(axis.groups) >= 2
    stereotypes = [list(a.fillers.values()) for a in axis.all_attributes()]
    assert sum(map(len, stereotypes)) >= 40
    for group in axis.group_names:
        assert len(subjects(axis, group)) >= 12
        for split in SPLITS:
            assert len(axis.definitional_subjects(split, group)) >= 4
    for split in SPLITS:
        assert len(axis.terms[split]) >= 3
        assert len(axis.attributes[split]) >= 4


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_every_frame_speaks_of_every_group(axis: Axis) -> None:
    for attribute in axis.all_attributes():
        assert tuple(attribute.fillers) == axis.group_names == tuple(attribute.grades)
        assert all(0 < grade <= 3 for grade in attribute.grades.values())
    for counterparts in axis.all_terms():
        assert len(counterparts) == len(axis.groups)


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_grades_are_spread_from_slight_to_strong_in_every_split(axis: Axis) -> None:
    for split in SPLITS:
        for group in axis.group_names:
            grades = sorted(attribute.grades[group] for attribute in axis.attributes[split])
            assert grades[0] <= 0.8
            assert grades[-1] >= 2.2
            assert max(b - a for a, b in pairwise(grades)) < 0.8


def test_definitional_subjects_and_terms_occur_in_one_place_only() -> None:
    every = [
        s for axis in AXES.values() for group in axis.group_names for s in subjects(axis, group)
    ]
    assert {subject: n for subject, n in Counter(every).items() if n > 1} == {}


def test_the_terms_of_statements_are_definitional() -> None:
    for axis in AXES.values():
        for split in SPLITS:
            for counterparts in axis.terms[split]:
                for group, term in zip(axis.group_names, counterparts, strict=True):
                    assert f"the {term}" in axis.definitional_subjects(split, group)


def test_a_definitional_subject_does_not_name_another_group() -> None:
    for axis in AXES.values():
        named = {
            group.name: {word.strip() for word in group.continuations} for group in axis.groups
        }
        for group in axis.group_names if axis.name != "gender" else ():
            others = set().union(*(named[name] for name in named if name != group))
            for subject in subjects(axis, group):
                said = set(re.findall(r"[\w-]+", subject))
                assert not said & others, subject


def test_an_item_is_of_one_axis_and_stands_once() -> None:
    said = [
        text
        for axis in AXES.values()
        for attribute in axis.all_attributes()
        for text in (*map(attribute.stereotype, attribute.fillers), attribute.unbiased())
    ]
    assert {text: n for text, n in Counter(said).items() if n > 1} == {}


def test_fillers_share_no_word_with_another_split_of_any_axis() -> None:
    fillers = {
        split: words(
            [
                filler
                for axis in AXES.values()
                for attribute in axis.attributes[split]
                for filler in (*attribute.fillers.values(), attribute.neutral)
            ]
        )
        for split in SPLITS
    }
    for one, other in combinations(SPLITS, 2):
        assert fillers[one] & fillers[other] == set()


def test_the_fillers_of_an_attribute_are_of_one_form() -> None:
    for axis in AXES.values():
        for attribute in axis.all_attributes():
            fillers = [*attribute.fillers.values(), attribute.neutral]
            assert attribute.frame.endswith(" {}")
            assert len({len(filler.split()) for filler in fillers}) == 1, attribute
            assert len(set(fillers)) == len(fillers)


def test_an_attribute_says_what_its_group_asks() -> None:
    attribute = AXES["gender"].attributes["train"][0]
    assert attribute.stereotype("female") == "bad at parking"
    assert attribute.stereotype("male") == "bad at ironing"
    assert attribute.unbiased() == "bad at whistling"
