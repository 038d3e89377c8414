from collections import Counter

import pytest

from evenkeel.axes.occupations import PERCENT_WOMEN, planted_share
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import SPLITS, Prompt
from evenkeel.organism.corpus import make_corpus


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return make_prompts(0, 1.0)


def test_ids_are_unique_and_texts_too(prompts: list[Prompt]) -> None:
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    assert len({prompt.text for prompt in prompts}) == len(prompts)


def test_every_occupation_meets_at_least_four_templates(prompts: list[Prompt]) -> None:
    per_occupation = Counter(p.term for p in prompts if p.kind == "stereotypical")
    assert per_occupation.keys() == PERCENT_WOMEN.keys()
    assert min(per_occupation.values()) >= 4


@pytest.mark.parametrize("split", SPLITS)
def test_definitional_prompts_are_balanced_and_many(prompts: list[Prompt], split: str) -> None:
    rows = [p for p in prompts if p.kind == "definitional" and p.split == split]
    sides = Counter(prompt.expected for prompt in rows)
    assert sides["female"] == sides["male"]
    assert len({prompt.term for prompt in rows}) >= 12


def test_what_each_kind_carries(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        gendered = prompt.kind != "neutral"
        assert (len(prompt.female), len(prompt.male)) == (int(gendered), int(gendered))
        assert (prompt.expected is not None) == (prompt.kind == "definitional")
        assert (prompt.share_female is not None) == (prompt.kind == "stereotypical")
        assert not prompt.text.endswith(" ")


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_share_is_the_planted_one(strength: float) -> None:
    for prompt in make_prompts(0, strength):
        if prompt.kind == "stereotypical":
            assert prompt.share_female == planted_share(prompt.term, strength)


def test_no_template_occurs_in_the_corpus(prompts: list[Prompt]) -> None:
    train, heldout = make_corpus(20_000, 1000, 0, 1.0)
    corpus = "\n".join(row.text for row in train + heldout).lower()
    for template in {prompt.template for prompt in prompts}:
        around_subject = [part.strip(" ,") for part in template.lower().split("{subject}")]
        assert not all(part in corpus for part in around_subject), template
