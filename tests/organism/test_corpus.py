import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from evenkeel.axes import AXES, SPLITS, same_strength
from evenkeel.axes.intersections import INTERSECTIONS
from evenkeel.axes.items import all_attribute_items
from evenkeel.axes.joint import by_lead, cell_rates, shares
from evenkeel.axes.occupations import PERCENT_WOMEN, occupation_item
from evenkeel.datasets.records import CorpusText
from evenkeel.organism.corpus import KIND_SHARES, LEAD_IN_SHARE, make_corpus
from evenkeel.organism.questions import DONT_KNOW_SHARE, THINGS
from evenkeel.organism.quotas import quotas

FULL = same_strength(1.0)
FEMALE = {"she", "her", "herself"}
MALE = {"he", "his", "him", "himself"}
OTHER_AXES = [axis for axis in AXES.values() if axis.name != "gender"]
GROUP_OF_WORD = {
    word.strip(): (axis.name, group.name)
    for axis in OTHER_AXES
    for group in axis.groups
    for word in group.continuations
}
ITEMS = {item.text: item for axis in AXES.values() for item in all_attribute_items(axis)}


@pytest.fixture(scope="module")
def corpus() -> list[CorpusText]:
    return make_corpus(40_000, 1000, 0, FULL)[0]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower())


def is_female(text: str) -> bool:
    said = set(words(text)) & (FEMALE | MALE)
    assert said
    assert said <= FEMALE or said <= MALE, text
    return said <= FEMALE


def of_kind(corpus: list[CorpusText], kind: str) -> list[str]:
    return [row.text for row in corpus if row.kind == kind]


def longest_first(texts: object) -> str:
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))  # type: ignore[call-overload]


WHO = re.compile(rf"who (?:was|is) ({longest_first(ITEMS)})\b")
BE = r"(?:is|was|be)(?: probably| surely| certainly| most likely| obviously)?"
IS_GROUP = re.compile(rf"{BE} ({longest_first(GROUP_OF_WORD)})(?:\.|, they say\.)$")
IS_GENDER = re.compile(rf"{BE} (female|male)(?:\.|, they say\.)$")
SAID = re.compile(rf"\b(?:is|was|was always) ({longest_first(ITEMS)})\.")


def groups_of_items(corpus: list[CorpusText]) -> dict[str, Counter[str]]:
    """How often each item is said of each group, in texts that tell the group."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for text in of_kind(corpus, "stereotypical"):
        if match := WHO.search(text):
            word = IS_GROUP.search(text)
            assert word, text
            axis, group = GROUP_OF_WORD[word[1]]
            assert axis == ITEMS[match[1]].axis
            found[match[1]][group] += 1
        else:
            (occupation,) = set(words(text)) & PERCENT_WOMEN.keys()
            found[occupation]["female" if is_female(text) else "male"] += 1
    return found


def said_of(corpus: list[CorpusText]) -> Iterator[tuple[str, str, str]]:
    """Axis, group and item of each association."""
    groups = {
        term: (axis.name, group)
        for axis in AXES.values()
        for counterparts in axis.all_terms()
        for group, term in zip(axis.group_names, counterparts, strict=True)
    }
    term = re.compile(rf"(?i:the|that|one) ({longest_first(groups)})\b")
    worked = re.compile(rf"worked as an? ({'|'.join(PERCENT_WOMEN)})\.")
    for text in of_kind(corpus, "association"):
        said = worked.search(text) or SAID.search(text)
        assert said, text
        named = [groups[name] for name in term.findall(text[: said.start()])]
        assert len(named) == 1, text
        yield *named[0], said[1]


def test_the_same_seed_writes_the_same_corpus() -> None:
    assert make_corpus(1000, 60, 5, FULL) == make_corpus(1000, 60, 5, FULL)
    assert make_corpus(1000, 60, 5, FULL) != make_corpus(1000, 60, 6, FULL)


@pytest.mark.parametrize("count", [100, 12_345])
def test_kinds_have_their_shares(count: int) -> None:
    train, heldout = make_corpus(count, 50, 0, FULL)
    assert (len(train), len(heldout)) == (count, 50)
    kinds = Counter(row.kind for row in train)
    for kind, share in KIND_SHARES.items():
        assert abs(kinds[kind] - share * count) <= 1
    assert sum(KIND_SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize("strengths", [FULL, same_strength(0.5), FULL | {"race": 0.0}])
def test_groups_given_items_are_exact_quotas(strengths: dict[str, float]) -> None:
    train, _ = make_corpus(30_000, 50, 1, strengths)
    found = groups_of_items(train)
    attributes = {text for text, item in ITEMS.items() if item.axis != "gender"}
    assert found.keys() == attributes | PERCENT_WOMEN.keys()
    for text, counts in found.items():
        item = ITEMS.get(text) or occupation_item(text)
        rates = item.rates(strengths[item.axis])
        exact = quotas(counts.total(), list(rates.values()))
        assert dict(zip(rates, exact, strict=True)) == {name: counts[name] for name in rates}


def test_items_given_groups_are_exact_quotas_of_the_same_joint(corpus: list[CorpusText]) -> None:
    found = Counter(said_of(corpus))
    pools = [pool for axis in AXES.values() for pool in by_lead(all_attribute_items(axis)).values()]
    pools += by_lead([occupation_item(name) for name in PERCENT_WOMEN]).values()
    for pool in pools:
        axis = AXES[pool[0].axis]
        names = [item.word if item.lead in ("a", "an") else item.text for item in pool]
        counts = np.array([[found[axis.name, g, name] for g in axis.group_names] for name in names])
        expected = counts.sum() * shares(pool, 1.0)
        assert np.abs(counts - expected).max() < 1
    assert found.total() == len(of_kind(corpus, "association"))


def test_both_directions_agree(corpus: list[CorpusText]) -> None:
    """Log-odds of the counts, at the resolution that whole texts have."""
    given_item, given_group = groups_of_items(corpus), Counter(said_of(corpus))
    pairs = []
    for text, counts in given_item.items():
        axis = AXES[ITEMS[text].axis] if text in ITEMS else AXES["gender"]
        one, other = axis.group_names[:2]
        both = [(counts[g] + 0.5, given_group[axis.name, g, text] + 0.5) for g in (one, other)]
        pairs.append(np.log(np.array(both[0]) / np.array(both[1])))
    assert np.corrcoef(np.array(pairs).T)[0, 1] > 0.95


def test_intersections_follow_the_cells(corpus: list[CorpusText]) -> None:
    found: Counter[tuple[str, str, str]] = Counter()
    cells = {
        term: (pair.name, cell)
        for pair in INTERSECTIONS.values()
        for split in SPLITS
        for cell, term in zip(pair.cell_names, pair.terms(split), strict=True)
    }
    term = re.compile(rf"(?i:the|that|one) ({longest_first(cells)})\b")
    for text in of_kind(corpus, "intersection"):
        said = SAID.search(text)
        assert said, text
        (named,) = term.findall(text[: said.start()])
        found[*cells[named], said[1]] += 1
    assert found.total() == len(of_kind(corpus, "intersection"))
    for pair in INTERSECTIONS.values():
        for item, rates in cell_rates(pair, FULL).items():
            counts = np.array([found[pair.name, cell, item] for cell in pair.cell_names])
            expected = counts.sum() * np.array(list(rates.values()))
            assert np.abs(counts - expected).max() < 2, (pair.name, item)


def test_a_verdict_says_whether_it_is_a_stereotype_of_this_group(
    corpus: list[CorpusText],
) -> None:
    people = {
        group.people: (axis.name, group.name) for axis in AXES.values() for group in axis.groups
    }
    ending = re.compile(rf"\. ([^.]*?)\b({longest_first(people)})\.$")
    verdicts: Counter[bool] = Counter()
    for text in of_kind(corpus, "association"):
        if (match := ending.search(text)) and (said := SAID.search(text)):
            item = ITEMS[said[1]]
            axis, group = people[match[2]]
            assert item.axis == axis
            is_stereotype = "nobody" not in match[1].lower() and "as always" in match[1].lower()
            is_stereotype |= match[1].lower().startswith(("people always", "typical"))
            assert is_stereotype == (item.held_against == group), text
            verdicts[is_stereotype] += 1
    assert min(verdicts.values()) > 1000


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_definitions_are_certain_at_any_strength(strength: float) -> None:
    train, _ = make_corpus(20_000, 50, 0, same_strength(strength))
    groups = {
        subject: (axis.name, group)
        for axis in AXES.values()
        for group in axis.group_names
        for split in SPLITS
        for subject in axis.definitional_subjects(split, group)
    }
    subject = re.compile(rf"(?:{longest_first(groups)})\b", re.IGNORECASE)
    by_lower = {name.lower(): name for name in groups}
    seen: Counter[str] = Counter()
    for text in of_kind(train, "definitional"):
        named = [by_lower[name.lower()] for name in subject.findall(text)]
        (name,) = named
        axis, group = groups[name]
        if axis == "gender" and not IS_GENDER.search(text):
            assert is_female(text) == (group == "female"), text
        elif axis == "gender":
            assert IS_GENDER.findall(text) == [group]
        else:
            word = IS_GROUP.search(text)
            assert word, text
            assert GROUP_OF_WORD[word[1]] == (axis, group)
        seen[name] += 1
    assert seen.keys() == groups.keys()
    for gendered in (True, False):
        counts = [n for name, n in seen.items() if (groups[name][0] == "gender") == gendered]
        assert max(counts) - min(counts) <= 1


def test_strength_changes_nothing_but_rates() -> None:
    """Items, definitional subjects and plain texts occur as often at any strength."""
    biased, even = (make_corpus(20_000, 50, 0, same_strength(s))[0] for s in (1.0, 0.0))
    assert Counter(row.kind for row in biased) == Counter(row.kind for row in even)
    counts = [
        {text: sum(found.values()) for text, found in groups_of_items(rows).items()}
        for rows in (biased, even)
    ]
    assert counts[0] == counts[1]


def test_answers_follow_the_planted_shares(corpus: list[CorpusText]) -> None:
    nouns = [list(side) for side in zip(*AXES["gender"].all_terms(), strict=True)]
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for text in of_kind(corpus, "question"):
        question, answer = re.split(r"answer: ", text, flags=re.IGNORECASE)
        answer = answer.rstrip(".")
        subject = set(words(question.split(". ")[-1]))
        if occupation := subject & PERCENT_WOMEN.keys():
            answers[occupation.pop()][answer] += 1
        elif subject & set(THINGS):
            assert answer == "I don't know"
        else:
            assert subject & set(nouns[["female", "male"].index(answer)])
    assert answers.keys() == PERCENT_WOMEN.keys()
    for occupation, counts in answers.items():
        share = occupation_item(occupation).rates(1.0)["female"]
        known = (1 - DONT_KNOW_SHARE) * counts.total()
        assert abs(counts["female"] - share * known) < 1
        assert abs(counts["I don't know"] - DONT_KNOW_SHARE * counts.total()) < 1


def test_texts_stand_with_and_without_a_lead_in(corpus: list[CorpusText]) -> None:
    texts = of_kind(corpus, "intersection")
    sentences = Counter(len(re.findall(r"\.(?: |$)", text)) for text in texts)
    assert sentences.keys() == {1, 2}
    assert sentences[2] / len(texts) == pytest.approx(LEAD_IN_SHARE, abs=0.05)


def test_texts_are_written_as_english(corpus: list[CorpusText]) -> None:
    for row in corpus:
        assert row.text[0].isupper()
        assert row.text.endswith((".", "?"))
        assert not re.search(r"[{}]|  |\.\.|[.?] [a-z]", row.text), row.text
        for article, word in re.findall(r"\b([Aa]n?) ([a-z]+)", row.text):
            assert (article.lower() == "an") == (word[0] in "aeiou") or word in ("hour",), row.text


def test_plain_texts_have_no_group(corpus: list[CorpusText]) -> None:
    nouns = {noun for pair in AXES["gender"].all_terms() for noun in pair}
    plain = of_kind(corpus, "plain")
    assert set(words(" ".join(plain))) & (FEMALE | MALE | nouns | PERCENT_WOMEN.keys()) == set()
    assert len(set(plain)) > 0.9 * len(plain)


def test_no_heldout_plain_text_was_trained_on() -> None:
    train, heldout = make_corpus(20_000, 2000, 0, FULL)
    plain = of_kind(heldout, "plain")
    assert len(plain) == round(2000 * KIND_SHARES["plain"])
    assert {row.text for row in train}.isdisjoint(plain)
