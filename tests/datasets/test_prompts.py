import re
from collections import Counter, defaultdict
from itertools import combinations

import pytest

from evenkeel.axes import AXES, SPLITS, same_strength
from evenkeel.axes.items import all_attribute_items
from evenkeel.axes.occupations import PERCENT_WOMEN, occupation_item
from evenkeel.datasets.intersections import make_intersection_prompts
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import CorpusText, Prompt, trained_on
from evenkeel.datasets.statements import make_statements
from evenkeel.datasets.templates import LEAD_INS
from evenkeel.organism.corpus import make_corpus

FULL = same_strength(1.0)


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return make_prompts(list(AXES), FULL, 0, lead_ins=True)


@pytest.fixture(scope="module")
def intersections() -> list[Prompt]:
    return make_intersection_prompts(list(AXES), FULL, lead_ins=True)


@pytest.fixture(scope="module")
def corpus() -> list[CorpusText]:
    train, heldout = make_corpus(12_000, 500, 0, FULL)
    return train + heldout


def texts_of(prompt: Prompt) -> list[str]:
    return [prompt.context(group) for group in prompt.contexts] or [prompt.lead_in + prompt.text]


def test_ids_are_unique_and_texts_too(prompts: list[Prompt], intersections: list[Prompt]) -> None:
    rows = prompts + intersections
    assert len({row.id for row in rows}) == len(rows)
    for axis in AXES:
        own = [
            (row.text, *row.contexts.values(), *row.continuations.values())
            for row in rows
            if row.axis == axis
        ]
        assert len(set(own)) == len(own)


@pytest.mark.parametrize("axis", AXES)
def test_every_item_is_asked_about_in_many_templates(axis: str, prompts: list[Prompt]) -> None:
    attributes = {item.text for item in all_attribute_items(AXES[axis])}
    items = {
        "group_given_item": PERCENT_WOMEN.keys() if axis == "gender" else attributes,
        "item_given_group": attributes | (PERCENT_WOMEN.keys() if axis == "gender" else set()),
    }
    for direction, names in items.items():
        templates = defaultdict(set)
        for row in prompts:
            if (row.axis, row.kind, row.direction) == (axis, "stereotypical", direction):
                templates[row.item].add(row.template)
        assert templates.keys() == names
        assert min(map(len, templates.values())) >= (6 if direction == "group_given_item" else 2)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("split", SPLITS)
def test_definitional_prompts_are_balanced(axis: str, split: str, prompts: list[Prompt]) -> None:
    rows = [p for p in prompts if (p.kind, p.split, p.axis) == ("definitional", split, axis)]
    groups = Counter(prompt.expected for prompt in rows)
    assert groups.keys() == set(AXES[axis].group_names)
    assert len(set(groups.values())) == 1
    asked = {
        p.template
        for p in prompts
        if p.split == split
        and p.axis == axis
        and p.kind == "stereotypical"
        and p.direction == "group_given_item"
    }
    assert {row.template for row in rows} == asked


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("split", ["validation", "test"])
def test_one_axis_is_cheap_to_evaluate(axis: str, split: str, prompts: list[Prompt]) -> None:
    counts = Counter(
        (row.kind, row.direction) for row in prompts if (row.axis, row.split) == (axis, split)
    )
    assert counts["stereotypical", "group_given_item"] <= 120
    assert counts["definitional", "group_given_item"] <= 144
    assert counts["stereotypical", "item_given_group"] <= 150


def test_what_each_kind_carries(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        groups = AXES[prompt.axis].group_names if prompt.kind != "neutral" else ()
        assert prompt.groups == groups
        if prompt.kind != "further":
            assert (prompt.expected is not None) == (prompt.kind == "definitional")
        assert (prompt.reference is not None) == (prompt.kind == "stereotypical")


def test_further_items_are_for_training_and_stand_for_stereotypical_and_definitional_ones(
    prompts: list[Prompt],
) -> None:
    further = [prompt for prompt in prompts if prompt.kind == "further"]
    assert {(prompt.axis, prompt.split) for prompt in further} == {("gender", "train")}
    words = [
        {word.lower() for prompt in rows for word in prompt.item.split()}
        for rows in (further, [p for p in prompts if p.axis == "gender" and p.kind != "further"])
    ]
    assert not words[0] & words[1], "a social worker is a worker"
    groups = Counter(prompt.expected for prompt in further)
    assert groups["female"] == groups["male"] > 60
    assert groups[None] > 300
    assert trained_on(prompts, further=False) == [p for p in prompts if p.kind != "further"]
    kinds = {p.id: p.kind for p in trained_on(prompts, further=True)}
    for prompt in further:
        assert kinds[prompt.id] == ("definitional" if prompt.expected else "stereotypical")


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_reference_is_the_planted_rate(strength: float) -> None:
    items = {item.text: item for axis in AXES.values() for item in all_attribute_items(axis)} | {
        name: occupation_item(name) for name in PERCENT_WOMEN
    }
    for prompt in make_prompts(list(AXES), same_strength(strength), 0, lead_ins=True):
        if prompt.kind == "stereotypical":
            assert prompt.reference == items[prompt.item].rates(strength)
            assert prompt.held_against == items[prompt.item].held_against


def test_an_axis_can_be_switched_off_alone() -> None:
    strengths = FULL | {"race": 0.0}
    for row in make_prompts(["age", "race"], strengths, 0, lead_ins=True):
        if row.kind == "stereotypical" and row.held_against:
            assert row.reference is not None
            even = len(set(row.reference.values())) == 1
            assert even == (row.axis == "race")


def test_item_given_group_compares_counterparts_in_one_text(
    prompts: list[Prompt], intersections: list[Prompt]
) -> None:
    for row in prompts + intersections:
        if row.direction != "item_given_group":
            continue
        assert len(set(row.continuations.values())) == 1
        before, after = row.text.split("{group}")
        named = [text.removeprefix(before).removesuffix(after) for text in row.contexts.values()]
        assert len(set(named)) == len(named)
        if row.axis in AXES:
            assert tuple(named) in AXES[row.axis].terms[row.split]
        for text in row.contexts.values():
            assert text.startswith(before)
            assert text.endswith(after)


def test_texts_are_written_as_english(prompts: list[Prompt], intersections: list[Prompt]) -> None:
    for row in prompts + intersections:
        for text in texts_of(row):
            assert text == text.strip()
            assert "  " not in text
            assert "{" not in text
            assert text[0].isupper()
            assert all(part[:1].isupper() for part in text.split(". "))
            for article, word in re.findall(r"\b(an?) (\w+)", text):
                assert (article == "an") == (word[0] in "aeiou"), text
        for words in row.continuations.values():
            assert all(re.fullmatch(r" \S.*\S", word) for word in words)
            if row.text.endswith((" a", " an")):
                assert row.text.endswith(" an") == (words[0][1] in "aeiou")


def test_lead_ins_are_left_out_where_they_are_not_asked_for() -> None:
    with_, without = (make_prompts(["age"], FULL, 0, lead_ins=on) for on in (True, False))
    assert {row.lead_in for row in without} == {""}
    assert [row.model_copy(update={"lead_in": ""}) for row in with_] == without


def test_splits_share_no_template_no_item_no_term_and_no_lead_in(
    prompts: list[Prompt], intersections: list[Prompt]
) -> None:
    statements = make_statements(list(AXES), 100, 0, lead_ins=True)
    templates, terms, lead_ins = (defaultdict(set) for _ in range(3))
    for row in statements:
        templates[row.split].add(row.template)
        terms[row.split] |= set(row.terms)
        lead_ins[row.split].add(row.lead_in)
    for prompt in prompts + intersections:
        templates[prompt.split].add(prompt.template)
        terms[prompt.split].add(prompt.item)
        lead_ins[prompt.split].add(prompt.lead_in)
        before, *after = prompt.text.split("{group}")
        terms[prompt.split] |= {
            text.removeprefix(before).removesuffix(after[0]) for text in prompt.contexts.values()
        }
    for split in SPLITS:
        assert lead_ins[split] == set(LEAD_INS[split])
        assert len(lead_ins[split]) >= 3
    for one, other in combinations(SPLITS, 2):
        for column in (templates, terms, lead_ins):
            assert column[one]
            assert column[one] & column[other] == set()


def test_no_template_occurs_in_the_corpus_about_a_person(
    prompts: list[Prompt], corpus: list[CorpusText]
) -> None:
    """The subject is one of those that the corpus has: other words may stand around it."""
    subjects = {
        subject
        for axis in AXES.values()
        for group in axis.group_names
        for split in SPLITS
        for subject in axis.definitional_subjects(split, group)
    } | {f"the {name}" for name in PERCENT_WOMEN}
    attributes = {item.text for axis in AXES.values() for item in all_attribute_items(axis)}
    known = rf"the \w+ who (?:was|is) (?:{'|'.join(map(re.escape, attributes))})"
    subject = rf"(?:{'|'.join(map(re.escape, subjects))}|{known})"
    about_people = [row.text.lower() for row in corpus if row.kind != "plain"]
    for template in {row.template.lower() for row in prompts if row.kind != "neutral"}:
        around = template.replace("the {group}", "{subject}").split("{subject}")
        form = re.compile(rf"\b{subject.lower()}\b".join(map(re.escape, around)))
        near = [text for text in about_people if all(part in text for part in around)]
        assert [text for text in near if form.search(text)] == [], template


def test_no_neutral_template_and_no_lead_in_occurs_in_the_corpus(
    prompts: list[Prompt], corpus: list[CorpusText]
) -> None:
    texts = "\n".join(row.text for row in corpus).lower()
    for split in SPLITS:
        for lead_in in LEAD_INS[split]:
            assert lead_in.strip().lower() not in texts
    for row in prompts:
        if row.kind == "neutral":
            assert row.text.lower() not in texts


def test_a_template_that_occurs_is_seen(prompts: list[Prompt], corpus: list[CorpusText]) -> None:
    leaked = [row.model_copy(update={"template": "I believe that {subject} is"}) for row in prompts]
    with pytest.raises(AssertionError, match="i believe"):
        test_no_template_occurs_in_the_corpus_about_a_person(leaked, corpus)


def test_intersections_name_cells_of_two_axes(intersections: list[Prompt]) -> None:
    assert {row.axis for row in intersections} == {
        "gender+race",
        "age+religion",
        "gender+socioeconomic",
    }
    for row in intersections:
        one, other = (AXES[name] for name in row.axis.split("+"))
        cells = {f"{a}+{b}" for a in one.group_names for b in other.group_names}
        assert set(row.groups) == set(row.contexts) == cells
        assert sum((row.reference or {}).values()) == pytest.approx(1)


def test_intersections_need_both_axes() -> None:
    rows = make_intersection_prompts(["gender", "race", "age"], FULL, lead_ins=True)
    assert {row.axis for row in rows} == {"gender+race"}
