import random

import pytest

from evenkeel.datasets.grammar import Grammar, sentence_case, with_article


def test_slots_are_filled_by_rules_and_by_what_is_given() -> None:
    grammar = Grammar({"text": ("{who} saw {what}.",), "what": ("it", "that")}, given=("who",))
    texts = {grammar.write("text", random.Random(seed), who="anna") for seed in range(20)}
    assert texts == {"Anna saw it.", "Anna saw that."}


def test_the_same_seed_writes_the_same_text() -> None:
    grammar = Grammar({"text": ("{a} {a} {a}",), "a": tuple("bcdefgh")})
    assert grammar.write("text", random.Random(3)) == grammar.write("text", random.Random(3))


def test_a_slot_without_a_rule_is_refused() -> None:
    with pytest.raises(AssertionError, match="'text' uses \\['what'\\]"):
        Grammar({"text": ("{what}.",)})


def test_every_sentence_starts_with_a_capital() -> None:
    assert sentence_case("was it late? no. it was 5.30 p.m.") == "Was it late? No. It was 5.30 p.m."


@pytest.mark.parametrize(
    ("noun", "phrase"), [("nurse", "a nurse"), ("aunt", "an aunt"), ("engineer", "an engineer")]
)
def test_article(noun: str, phrase: str) -> None:
    assert with_article(noun) == phrase
