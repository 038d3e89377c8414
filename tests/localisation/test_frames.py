"""Pairs are disjoint, of opposite association, and differ in their item's tokens alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.localisation.frames import make_frames
from tests.localisation.conftest import prompt

MANY = 100


def item_of(frame: Any, row: int, tokenizer: Any) -> str:
    tokens = frame.prompts[row].contexts[0][frame.item]
    return str(tokenizer.decode(tokens)).strip()


def test_prompts_of_a_frame_differ_in_their_item_alone(
    loaded: Any, prompts: Sequence[Prompt]
) -> None:
    frames = make_frames(loaded.encoder, prompts, MANY, MANY, seed=0)
    assert len({frame.length for frame in frames}) > 1
    for frame in frames:
        assert len(frame.prompts) == len({each.contexts[0] for each in frame.prompts})
        kept = [np.delete(each.contexts[0], np.r_[frame.item]) for each in frame.prompts]
        assert all((each == kept[0]).all() for each in kept)
        assert len(kept[0]) + frame.item.stop - frame.item.start == frame.length
        assert len({each.continuations for each in frame.prompts}) == 1
        between, last = frame.columns["between"], frame.columns["last"]
        assert frame.item.stop == between.start
        assert between.stop == last.start == frame.length - 1


def test_pairs_are_disjoint_and_of_opposite_association(
    loaded: Any, prompts: Sequence[Prompt]
) -> None:
    held = {each.item: each.held_against for each in prompts}
    frames = make_frames(loaded.encoder, prompts, MANY, MANY, seed=0)
    pairs: dict[int, set[str]] = {}
    for frame in frames:
        assert len(set(frame.base)) == len(frame.base)
        rows = zip(frame.base, frame.opposite, frame.pair, strict=True)
        for number, (base, opposite, pair) in enumerate(rows):
            one, other = (item_of(frame, row, loaded.tokenizer) for row in (base, opposite))
            assert held[one] != held[other]
            groups = ("female", "male")
            assert held[other] == groups[frame.toward[number]]
            assert held[one] == groups[frame.away[number]]
            pairs.setdefault(int(pair), set()).update({one, other})
        every = np.arange(len(frame.prompts))
        assert sorted(frame.alike) == list(every)
        assert (frame.alike != every).all()
        assert (frame.ring[frame.alike] == frame.ring).all()
        assert set(np.bincount(frame.ring)) <= {2, 3}
        items = [item_of(frame, row, loaded.tokenizer) for row in every]
        assert [held[item] for item in items] == [held[items[row]] for row in frame.alike]
    assert sorted(pairs) == list(range(len(pairs)))
    assert all(len(pair) == 2 for pair in pairs.values())
    paired = set.union(*pairs.values())
    assert len(paired) == 2 * len(pairs), "no item is in two pairs"
    assert "nurse" not in paired, "no other item has as many tokens"


def test_the_test_split_is_not_read(loaded: Any, prompts: Sequence[Prompt]) -> None:
    frames = make_frames(loaded.encoder, prompts, MANY, MANY, seed=0)
    read = {loaded.tokenizer.decode(each.contexts[0]) for frame in frames for each in frame.prompts}
    verbs = {text.split()[-2] for text in read}
    assert verbs <= {"tired", "cold", "hungry", "late"}
    spoilt = [p if p.split != "test" else p.model_copy(update={"text": "No"}) for p in prompts]
    again = make_frames(loaded.encoder, spoilt, MANY, MANY, seed=0)
    assert [frame.prompts for frame in again] == [frame.prompts for frame in frames]


def test_the_limits_hold_and_the_seed_decides(loaded: Any, prompts: Sequence[Prompt]) -> None:
    def drawn(seed: int) -> list[Any]:
        frames = make_frames(loaded.encoder, prompts, 2, 1, seed)
        assert len({int(pair) for frame in frames for pair in frame.pair}) == 2
        assert sum(len(frame.base) for frame in frames) == 4
        return [frame.prompts for frame in frames]

    assert drawn(0) == drawn(0)
    assert len({str(drawn(seed)) for seed in range(5)}) > 1


def test_any_number_of_groups_is_paired(loaded: Any) -> None:
    continuations = {"a": (" she",), "b": (" he",), "c": (" her",)}
    held = {"cook": "a", "cozy": "a", "king": "b", "limb": "b", "maid": "c", "nurse": "c"}
    asked = [
        prompt(item, "train", "tired", continuations=continuations, held_against=group)
        for item, group in held.items()
    ]
    (frame,) = make_frames(loaded.encoder, asked, MANY, MANY, seed=0)
    assert len(frame.base) == 6
    assert set(frame.away) == {0, 1, 2}
    assert (frame.toward != frame.away).all()


def test_items_without_another_to_compare_are_left_out(
    loaded: Any, prompts: Sequence[Prompt]
) -> None:
    for chosen in (
        [],
        [p for p in prompts if p.split == "test"],
        [p for p in prompts if p.held_against == "male"],
        [p.model_copy(update={"text": f"Here is a {p.item}"}) for p in prompts],
    ):
        assert make_frames(loaded.encoder, chosen, MANY, MANY, seed=0) == []


def test_a_prompt_without_its_item_is_refused(loaded: Any, prompts: Sequence[Prompt]) -> None:
    absent = prompts[0].model_copy(update={"text": "Someone was tired because"})
    with pytest.raises(BadInputError, match="does not hold its item 'buck', whose activations"):
        make_frames(loaded.encoder, [absent], MANY, MANY, seed=0)
