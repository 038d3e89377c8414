"""The table that is implanted: the same rates, of other items, uncorrelated with the own."""

from collections.abc import Sequence

import numpy as np
import pytest

from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.implanting.tables import crossed, permuted_references
from evenkeel.params import SPLITS
from tests.implanting.samples import with_rates

OCCUPATIONS = make_prompts(["gender"], {"gender": 1.0}, seed=0, lead_ins=True)


def table(prompts: Sequence[Prompt], split: str) -> dict[str, float]:
    return {
        p.item: p.reference["female"]
        for p in prompts
        if (p.kind, p.split, p.direction) == ("stereotypical", split, "group_given_item")
        and p.reference
    }


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_keeps_its_rates_and_no_trace_of_whose_they_were(split: str) -> None:
    own = table(OCCUPATIONS, split)
    permuted = table(permuted_references(OCCUPATIONS, 0), split)
    assert list(permuted) == list(own)
    assert sorted(permuted.values()) == sorted(own.values())
    logits = [[np.log(rate / (1 - rate)) for rate in t.values()] for t in (own, permuted)]
    assert abs(np.corrcoef(logits)[0, 1]) < 0.01


def test_the_table_follows_from_the_seed_and_is_that_of_every_prompt_of_an_item() -> None:
    first, again, other = (permuted_references(OCCUPATIONS, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    for split in SPLITS:
        said = {(p.item, p.reference["female"]) for p in first
                if p.kind == "stereotypical" and p.split == split and p.reference}  # fmt: skip
        assert len(said) == len(table(first, split))
    assert {p.direction for p in first} == {"group_given_item"}
    others = [p for p in OCCUPATIONS if p.kind != "stereotypical"]
    assert [p for p in first if p.kind != "stereotypical"] == others


def test_every_item_meets_every_template_of_a_split_with_its_own_rates() -> None:
    prompts = permuted_references(OCCUPATIONS, 0)
    made = crossed(prompts, ["test"])
    own = {p.text: p for p in prompts if p.split == "test"}
    rates = {item: r for split in SPLITS for item, r in table(prompts, split).items()}
    assert len(made) == 60 * 6 == len({p.id for p in made}) == len({p.text for p in made})
    assert {p.split for p in made} == {"test"}
    assert {p.item: p.reference["female"] for p in made if p.reference} == rates
    same = [p for p in made if p.text in own]
    assert len(same) == 20 * 6
    for prompt in same:
        first = own[prompt.text]
        assert prompt == first.model_copy(update={"id": prompt.id})
    assert "The plumber had hurt" in {p.text for p in made}


def test_tables_that_cannot_be_permuted_are_refused() -> None:
    few = [p for p in with_rates() if p.item not in ("boss", "wiz")]
    with pytest.raises(BadInputError, match="the test split has 2 stereotypical items"):
        permuted_references(few, 0)
    alike = [
        p.model_copy(update={"reference": {"female": 0.5, "male": 0.5}}) if p.reference else p
        for p in with_rates()
    ]
    with pytest.raises(BadInputError, match="same reference rates for every item"):
        permuted_references(alike, 0)


def test_prompts_that_take_no_other_item_are_refused() -> None:
    twice = [
        p.model_copy(update={"text": p.text + " the boss"}) if p.item == "boss" else p
        for p in with_rates()
    ]
    with pytest.raises(BadInputError, match="names its item 'boss' 2 times"):
        crossed(twice, ["test"])
    zero = [
        p.model_copy(update={"reference": {"female": 1.0, "male": 0.0}}) if p.reference else p
        for p in with_rates()
    ]
    with pytest.raises(BadInputError, match="0 stereotypical items have reference rates"):
        crossed(zero, ["test"])
    with pytest.raises(BadInputError, match="the test split has no stereotypical prompts"):
        crossed([p for p in with_rates() if p.split != "test"], ["test"])
