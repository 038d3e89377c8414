"""What is implanted: reference rates that were dealt out anew, so that no model holds them yet."""

from collections.abc import Mapping, Sequence

import numpy as np

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.metrics.bias import centred, correlation
from evenkeel.params import SPLITS, Split

Rates = Mapping[str, float]
"""P(group | item) by group."""
TEMPLATES: tuple[Split, ...] = ("train", "validation")
"""Splits whose templates a table is implanted in; that of the test is what it is measured in."""
DRAWS = 2000
"""Permutations of a split, of which the one that is least correlated with the own is taken."""
MIN_ITEMS = 3


def permuted_references(prompts: Sequence[Prompt], seed: int) -> list[Prompt]:
    """Prompts asked for the group, each item of a split with the rates of another one of it.

    Of `DRAWS` permutations of a split the one whose log-rates are correlated least with the items'
    own: the table then says nothing of what a model may hold already, in any split.

    Args:
        prompts: of one axis and all splits; those that ask for the item are left out.
        seed: of the permutations.

    Raises:
        BadInputError: a split has fewer than three stereotypical items with rates, or all of them
            have the same.
    """
    asked = [prompt for prompt in prompts if prompt.direction == "group_given_item"]
    permuted: dict[str, Rates] = {}
    for split in SPLITS:
        own = _rates(_stereotypical(asked, split))
        permuted |= _permuted(own, split, np.random.default_rng([seed, SPLITS.index(split)]))
    return [
        prompt.model_copy(update={"reference": permuted.get(prompt.item)})
        if prompt.kind == "stereotypical"
        else prompt
        for prompt in asked
    ]


def _permuted(
    own: Mapping[str, Rates], split: Split, generator: np.random.Generator
) -> dict[str, Rates]:
    items, rates = list(own), list(own.values())
    if len(items) < MIN_ITEMS:
        raise BadInputError(
            f"the {split} split has {len(items)} stereotypical items with reference rates, which "
            f"are asked for the group; {MIN_ITEMS} or more can be permuted"
        )
    logs = centred(np.log([list(each.values()) for each in rates]))
    if np.ptp(logs, axis=0).max() == 0:
        raise BadInputError(
            f"the {split} split has the same reference rates for every item, so that a permutation "
            "changes nothing; plant some (dataset.planted_strength)"
        )
    orders = np.array([generator.permutation(len(items)) for _ in range(DRAWS)])
    order = orders[np.abs(correlation(logs, logs[orders])).argmin()]
    return {item: rates[place] for item, place in zip(items, order, strict=True)}


def crossed(prompts: Sequence[Prompt], splits: Sequence[Split]) -> list[Prompt]:
    """Every stereotypical item with rates, of whichever split, in every template of some splits.

    Args:
        prompts: of one axis and all splits, each asked for the group.
        splits: of the templates, and of the prompts that are made.

    Raises:
        BadInputError: fewer than three items have rates, a split has no stereotypical prompts, or a
            prompt's text does not name its item exactly once.
    """
    asked = [prompt for split in SPLITS for prompt in _stereotypical(prompts, split)]
    rates, items = _rates(asked), {prompt.item: prompt for prompt in asked}
    if len(rates) < MIN_ITEMS:
        raise BadInputError(
            f"{len(rates)} stereotypical items have reference rates, none of them zero; a bias is "
            f"implanted in {MIN_ITEMS} or more"
        )
    made = []
    for split in splits:
        own = _stereotypical(prompts, split)
        if not own:
            raise BadInputError(f"the {split} split has no stereotypical prompts to put items into")
        for number, question in enumerate(p for p in own if p.item == own[0].item):
            before, *after = question.text.split(question.item)
            if len(after) != 1:
                raise BadInputError(
                    f"prompt {question.id}: its text names its item {question.item!r} "
                    f"{len(after)} times; no other item can be put there"
                )
            made += [
                question.model_copy(
                    update={
                        "id": f"{question.axis}-crossed-{split}-{item}-{number}",
                        "item": item,
                        "text": before + item + after[0],
                        "held_against": items[item].held_against,
                        "reference": of_item,
                    }
                )
                for item, of_item in rates.items()
            ]
    return made


def _rates(prompts: Sequence[Prompt]) -> dict[str, Rates]:
    """The rates of each item that has some, none of them zero."""
    return {
        prompt.item: prompt.reference
        for prompt in prompts
        if prompt.reference and all(prompt.reference.values())
    }


def _stereotypical(prompts: Sequence[Prompt], split: Split) -> list[Prompt]:
    return [p for p in prompts if (p.kind, p.split) == ("stereotypical", split)]
