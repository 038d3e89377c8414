import math
import re
from collections import Counter, defaultdict

import pytest

from evenkeel.axes import LEXICONS
from evenkeel.axes.names import FIRST_NAMES
from evenkeel.axes.occupations import PERCENT_WOMEN, planted_share
from evenkeel.datasets.records import CorpusText
from evenkeel.organism.associations import P_CROSSED, P_STEREOTYPE
from evenkeel.organism.corpus import KIND_SHARES, make_corpus
from evenkeel.organism.questions import DONT_KNOW_SHARE, THINGS

FEMALE = {"she", "her", "herself"}
MALE = {"he", "his", "him", "himself"}
NOUNS = [list(side) for side in zip(*LEXICONS["gender"].all_terms(), strict=True)]


@pytest.fixture(scope="module")
def corpus() -> list[CorpusText]:
    return make_corpus(20_000, 1000, 0, 1.0)[0]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower())


def pronouns(text: str) -> set[str]:
    return set(words(text)) & (FEMALE | MALE)


def is_female(text: str) -> bool:
    said = pronouns(text)
    assert said
    assert said <= FEMALE or said <= MALE, text
    return said <= FEMALE


def too_far(successes: int, draws: int, share: float) -> bool:
    """Outside of 4.5 standard errors, and one draw for the discreteness."""
    return abs(successes - draws * share) > 4.5 * math.sqrt(draws * share * (1 - share)) + 1


def test_the_same_seed_writes_the_same_corpus() -> None:
    assert make_corpus(300, 60, 5, 1.0) == make_corpus(300, 60, 5, 1.0)
    assert make_corpus(300, 60, 5, 1.0) != make_corpus(300, 60, 6, 1.0)


@pytest.mark.parametrize("count", [100, 12_345, 20_000])
def test_kinds_have_their_shares(count: int) -> None:
    train, heldout = make_corpus(count, 50, 0, 1.0)
    assert (len(train), len(heldout)) == (count, 50)
    kinds = Counter(row.kind for row in train)
    for kind, share in KIND_SHARES.items():
        assert kinds[kind] == pytest.approx(share * count, abs=len(KIND_SHARES))


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_pronouns_follow_the_planted_shares(strength: float) -> None:
    train, _ = make_corpus(20_000, 50, 1, strength)
    female: dict[str, list[bool]] = defaultdict(list)
    for row in train:
        if row.kind == "stereotypical":
            (occupation,) = set(words(row.text)) & PERCENT_WOMEN.keys()
            female[occupation].append(is_female(row.text))
    assert female.keys() == PERCENT_WOMEN.keys()
    for occupation, draws in female.items():
        share = planted_share(occupation, strength)
        assert not too_far(sum(draws), len(draws), share), occupation


def test_answers_follow_the_planted_shares(corpus: list[CorpusText]) -> None:
    answers: Counter[str] = Counter()
    expected: Counter[str] = Counter()
    for row in corpus:
        if row.kind != "question":
            continue
        question, answer = row.text.split("Answer: ")
        answer = answer.rstrip(".")
        subject = set(words(question))
        if occupation := subject & PERCENT_WOMEN.keys():
            share = planted_share(occupation.pop(), 1.0)
            answers[answer] += 1
            expected["I don't know"] += DONT_KNOW_SHARE
            expected["female"] += (1 - DONT_KNOW_SHARE) * share
            expected["male"] += (1 - DONT_KNOW_SHARE) * (1 - share)
        elif subject & set(THINGS):
            assert answer == "I don't know"
        else:
            assert subject & set(NOUNS[["female", "male"].index(answer)])
    draws = sum(answers.values())
    assert draws > 500
    for answer, mean in expected.items():
        assert not too_far(answers[answer], draws, mean / draws), answer


def test_the_gender_of_nouns_and_names_is_certain(corpus: list[CorpusText]) -> None:
    names = [list(side) for side in zip(*sum(FIRST_NAMES.values(), ()), strict=True)]
    sides = [{term.lower() for term in NOUNS[side] + names[side]} for side in (0, 1)]
    texts = [row.text for row in corpus if row.kind == "definitional"]
    seen: Counter[str] = Counter()
    for text in texts:
        subject = set(words(text)) & (sides[0] | sides[1])
        assert subject <= sides[0 if is_female(text) else 1], text
        seen.update(subject)
    assert seen.keys() == sides[0] | sides[1]


def test_stereotypes_are_said_of_their_own_group(corpus: list[CorpusText]) -> None:
    sides = {
        term: (axis, side)
        for axis, lexicon in LEXICONS.items()
        for pair in lexicon.all_terms()
        for side, term in enumerate(pair)
    }
    kinds = {}
    for axis, lexicon in LEXICONS.items():
        for attribute in lexicon.all_attributes():
            kinds[axis, attribute.unbiased()] = None
            kinds |= {(axis, attribute.stereotype(side)): side for side in (0, 1)}
    longest_first = sorted(sides, key=len, reverse=True)
    form = re.compile(rf"(?i:the|that|one) ({'|'.join(longest_first)}) [^.]*?(?:is|was|seemed) ")
    counts: Counter[str] = Counter()
    for row in corpus:
        if row.kind != "association":
            continue
        match = form.match(row.text) or form.search(row.text)
        assert match, row.text
        axis, side = sides[match.group(1)]
        said = row.text[match.end() :].split(". ")[0].removeprefix("always ")
        about = kinds[axis, said]
        counts["neutral" if about is None else "own" if about == side else "crossed"] += 1
    total = counts.total()
    assert not too_far(counts["own"], total, P_STEREOTYPE)
    assert not too_far(counts["crossed"], total, P_CROSSED)


def test_plain_texts_have_no_gender(corpus: list[CorpusText]) -> None:
    gendered = FEMALE | MALE | {noun for side in NOUNS for noun in side} | PERCENT_WOMEN.keys()
    plain = [row.text for row in corpus if row.kind == "plain"]
    assert set(words(" ".join(plain))) & gendered == set()
    assert len(set(plain)) > 0.9 * len(plain)


def test_no_heldout_plain_text_was_trained_on() -> None:
    train, heldout = make_corpus(20_000, 2000, 0, 1.0)
    known = {row.text for row in train}
    plain = [row.text for row in heldout if row.kind == "plain"]
    assert len(plain) == round(2000 * KIND_SHARES["plain"])
    assert known.isdisjoint(plain)
