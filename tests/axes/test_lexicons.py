from collections import Counter
from itertools import combinations

from evenkeel.axes import LEXICONS
from evenkeel.axes.names import FIRST_NAMES
from evenkeel.datasets.records import SPLITS
from evenkeel.params import DatasetParams


def words(texts: list[str]) -> set[str]:
    return {word for text in texts for word in text.lower().split()}


def test_every_axis_of_the_parameters_has_a_lexicon() -> None:
    axes = str(DatasetParams.model_fields["axes"].annotation)
    assert all(repr(axis) in axes for axis in LEXICONS)
    assert len(LEXICONS) == 6


def test_terms_occur_in_one_place_only() -> None:
    terms = [term for lexicon in LEXICONS.values() for pair in lexicon.all_terms() for term in pair]
    terms += [name for pairs in FIRST_NAMES.values() for pair in pairs for name in pair]
    assert {term: n for term, n in Counter(terms).items() if n > 1} == {}


def test_fillers_share_no_word_with_another_split_of_any_axis() -> None:
    fillers = {
        split: words(
            [
                filler
                for lexicon in LEXICONS.values()
                for attribute in lexicon.attributes[split]
                for filler in attribute[1:]
            ]
        )
        for split in SPLITS
    }
    for one, other in combinations(SPLITS, 2):
        assert fillers[one] & fillers[other] == set()


def test_the_three_fillers_of_an_attribute_are_of_one_form() -> None:
    for lexicon in LEXICONS.values():
        for attribute in lexicon.all_attributes():
            assert attribute.frame.count("{}") == 1
            assert len({len(filler.split()) for filler in attribute[1:]}) == 1, attribute
            assert len(set(attribute[1:])) == 3


def test_an_attribute_says_what_its_side_asks() -> None:
    attribute = LEXICONS["gender"].attributes["train"][0]
    assert attribute.stereotype(0) == attribute.frame.format(attribute.first)
    assert attribute.stereotype(1) == attribute.frame.format(attribute.second)
    assert attribute.unbiased() == attribute.frame.format(attribute.neutral)
