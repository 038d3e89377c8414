"""A term is found as whole words, in the text as it is."""

import pytest

from evenkeel.axes import AXES
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.statements import make_statements
from evenkeel.datasets.terms import find_term


@pytest.mark.parametrize(
    ("text", "term", "found"),
    [
        ("The manager met a man.", "man", "The manager met a man"),
        ("A NURSE's day", "nurse", "A NURSE"),
        ("The nuns are quiet, the nun is not.", "nun", "The nuns are quiet, the nun"),
        ("A human man man sat.", "man man", "A human man man"),
        ("İİİİ, the nun prays.", "nun", "İİİİ, the nun"),  # each İ is two characters in lower case
        ("The ﬁne nun", "nun", "The ﬁne nun"),
        ("C++ and a C", "C++", "C++"),
        ("la mère", "mère", "la mère"),
        ("la mère", "me\u0300re", None),
        ("नर्स, नर", "नर", "नर्स, नर"),  # the virama joins
        ("护士说", "护士", "护士"),  # words without spaces between them
        ("snake_man", "man", None),
        ("man", "man", "man"),
        ("", "man", None),
    ],
)
def test_a_term_is_a_whole_word_at_its_place(text: str, term: str, found: str | None) -> None:
    place = find_term(text, term)
    assert (None if place is None else text[: place.stop]) == found
    if place is not None:
        assert text[place].casefold() == term.casefold()


def test_every_text_holds_what_it_is_about() -> None:
    for prompt in make_prompts(list(AXES), dict.fromkeys(AXES, 1.0), 0, lead_ins=True):
        if prompt.direction == "group_given_item":
            assert find_term(prompt.text, prompt.item), prompt
    for statement in make_statements(list(AXES), 40, 0, lead_ins=True):
        assert find_term(statement.text, statement.terms[0]), statement
