"""Which prompts are compared: items of opposite association, in the same words otherwise."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from evenkeel.datasets.records import Prompt
from evenkeel.datasets.terms import item_place
from evenkeel.models.encoding import TextEncoder, Tokens
from evenkeel.params import Split
from evenkeel.scoring.group_reads import EncodedPrompt, encode_prompt

SPLITS: tuple[Split, ...] = ("train", "validation")
"""The test split is not read: a layer may be chosen by what is found here."""
Index = Int[ndarray, " bases"]


@dataclass(frozen=True, eq=False)
class Frame:
    """Prompts that differ in the tokens of their item alone, and are as many tokens long.

    A *base* is a prompt into whose run activations of another one are put.
    """

    prompts: tuple[EncodedPrompt, ...]
    item: slice
    """Columns of the item's tokens, the same in every prompt."""
    length: int
    """Tokens of each prompt."""
    base: Index
    """Prompts that are patched."""
    opposite: Index
    """Of each base, the prompt whose activations are put in: its item is held against another
    group."""
    toward: Index
    """Group that the opposite item is held against."""
    away: Index
    """Group that the item of the base is held against."""
    pair: Index
    """Number of the pair of items, the unit of resampling."""
    alike: Int[ndarray, " prompts"]
    """Of each prompt, one whose item is held against the same group: the null."""
    ring: Int[ndarray, " prompts"]
    """Two or three prompts that have one another's activations put in, by a number."""

    @property
    def columns(self) -> dict[str, slice]:
        """Columns by their role: the item, what follows it, and the prompt's last token.

        Those of the last token go on to a row's end, where a continuation of several tokens is
        scored. Together they are all that an item can make differ.
        """
        last = self.length - 1
        return {
            "item": self.item,
            "between": slice(self.item.stop, last),
            "last": slice(last, None),
        }


class _Around(NamedTuple):
    """What prompts of one frame share."""

    before: Tokens
    after: Tokens
    item_tokens: int
    groups: tuple[str, ...]
    continuations: tuple[tuple[Tokens, ...], ...]


_Pair = tuple[str, str]


def make_frames(
    encoder: TextEncoder, prompts: Sequence[Prompt], pairs: int, templates: int, seed: int
) -> list[Frame]:
    """Pair items that are held against different groups, and put them into the same words.

    No item is in two pairs, so that pairs are independent. Items of a pair have the same number of
    tokens, and stand in the same templates behind the same lead-ins. Each is the base of one run
    and the source of another. For the null, items of one group are put into one another's runs.

    Args:
        encoder: of the model.
        prompts: of one axis; the stereotypical ones of `SPLITS` that ask for the group are used.
        pairs: of items, at most; drawn at random if there are more.
        templates: that each pair is compared in, at most.
        seed: of the draws.

    Returns:
        An empty list where no two items can be compared: that takes two that are held against one
        group and two against another, in the same templates, behind the same lead-ins, with equally
        many tokens.

    Raises:
        BadInputError: a prompt's text does not hold its item.
    """
    chosen = [
        prompt
        for prompt in prompts
        if prompt.kind == "stereotypical"
        and prompt.direction == "group_given_item"
        and prompt.split in SPLITS
        and prompt.held_against is not None
    ]
    items: dict[str, dict[_Around, EncodedPrompt]] = {}
    groups: dict[str, str] = {}
    for prompt in chosen:
        around, encoded = _around(encoder, prompt)
        # Where nothing follows, the item's last token would be the prompt's last as well.
        if around.after and around.item_tokens:
            items.setdefault(prompt.item, {})[around] = encoded
            groups[prompt.item] = str(prompt.held_against)
    alike: dict[tuple[_Around, ...], list[str]] = {}
    for item in sorted(items):
        alike.setdefault(tuple(sorted(items[item])), []).append(item)
    rng = random.Random(f"{seed}/localisation")
    cells = {key: _by_group(alike[key], groups, rng) for key in sorted(alike)}
    found = [(key, pair) for key, cell in cells.items() for pair in _paired(cell)]
    found = rng.sample(found, min(pairs, len(found)))
    frames = []
    for key, cell in cells.items():
        own = {number: pair for number, (of, pair) in enumerate(found) if of == key}
        if own:
            for around in sorted(rng.sample(key, min(templates, len(key)))):
                encoded_items = {item: items[item][around] for item in alike[key]}
                frames.append(_frame(around, encoded_items, cell, own, groups))
    return frames


def _around(encoder: TextEncoder, prompt: Prompt) -> tuple[_Around, EncodedPrompt]:
    place = item_place(prompt, "whose activations are compared; correct it")
    encoded = encode_prompt(encoder.tokenizer, prompt)
    tokens = encoded.contexts[0]
    begins, ends = prompt.text[: place.start].rstrip(), prompt.text[: place.stop]
    start = len(encoder.encode((prompt.lead_in + begins).rstrip()))
    stop = len(encoder.encode(prompt.lead_in + ends))
    item_tokens = max(0, stop - start)
    return (
        _Around(tokens[:start], tokens[stop:], item_tokens, prompt.groups, encoded.continuations),
        encoded,
    )


def _by_group(
    items: Sequence[str], groups: Mapping[str, str], rng: random.Random
) -> dict[str, list[str]]:
    """Items by group in a random order; groups of one item are left out, which have no null."""
    cell: dict[str, list[str]] = {}
    for item in rng.sample(items, len(items)):
        cell.setdefault(groups[item], []).append(item)
    return {group: cell[group] for group in sorted(cell) if len(cell[group]) > 1}


def _paired(cell: Mapping[str, Sequence[str]]) -> list[_Pair]:
    """As many disjoint pairs of items of different groups as there are."""
    left = [list(items) for items in cell.values()]
    pairs = []
    while sum(map(bool, left)) > 1:
        left.sort(key=len, reverse=True)
        pairs.append((left[0].pop(), left[1].pop()))
    return pairs


def _frame(
    around: _Around,
    items: Mapping[str, EncodedPrompt],
    cell: Mapping[str, Sequence[str]],
    pairs: Mapping[int, _Pair],
    groups: Mapping[str, str],
) -> Frame:
    """One frame of a cell, with the pairs that are compared in it, by their number."""
    used = {item for pair in pairs.values() for item in pair}
    runs = [
        (number, base, source)
        for number, pair in pairs.items()
        for base, source in (pair, pair[::-1])
    ]
    rings = [ring for of_group in cell.values() for ring in _rings(of_group, used)]
    names = [name for ring in rings for name in ring]
    row = {name: place for place, name in enumerate(names)}
    group = {name: around.groups.index(groups[name]) for name in names}
    start, length = len(around.before), len(around.before) + around.item_tokens
    return Frame(
        prompts=tuple(items[name] for name in names),
        item=slice(start, length),
        length=length + len(around.after),
        base=np.array([row[base] for _, base, _ in runs]),
        opposite=np.array([row[source] for _, _, source in runs]),
        toward=np.array([group[source] for _, _, source in runs]),
        away=np.array([group[base] for _, base, _ in runs]),
        pair=np.array([number for number, _, _ in runs]),
        alike=np.array([row[name] for ring in rings for name in (*ring[1:], ring[0])]),
        ring=np.repeat(np.arange(len(rings)), list(map(len, rings))),
    )


def _rings(of_group: Sequence[str], used: set[str]) -> list[Sequence[str]]:
    """The items of a group that are in pairs by twos, and three where they are odd.

    A lone one has the next of its group beside it, which is in no pair.
    """
    members = [item for item in of_group if item in used]
    if len(members) == 1:
        members += [item for item in of_group if item not in used][:1]
    starts = range(0, len(members) - 1, 2)
    return [members[start : start + 2 if start + 3 < len(members) else None] for start in starts]
