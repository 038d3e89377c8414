"""Vectors trained on preferences: the losses, what is trained, and what stays as it is."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.learning.losses import preference_loss, rejected_mask, reps_loss
from evenkeel.learning.preference import (
    PreferenceTrainer,
    _bipo,
    _Null,
    _Trained,
    preferences,
    rejected_groups,
)
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import PreferenceMethod, PreferenceParams
from evenkeel.scoring.group_reads import encode_prompt, group_log_probs
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from tests.evaluation.samples import TEXTS, make_four_groups, make_prompts

PARAMS = PreferenceParams(layers="all", steps=30, batch_rows=8, beta=0.1, shuffles=0)
BRIEF = PARAMS.model_copy(update={"steps": 3})
POINT = HookPoint("resid_post", 1)
METHODS: tuple[PreferenceMethod, ...] = ("bipo", "reps")


def held(prompts: list[Prompt]) -> list[Prompt]:
    """Every item held against a group, the groups in turn."""
    items = sorted({p.item for p in prompts if p.kind == "stereotypical"})
    return [
        p.model_copy(update={"held_against": p.groups[items.index(p.item) % len(p.groups)]})
        if p.kind == "stereotypical"
        else p
        for p in prompts
    ]


PROMPTS = held(make_prompts())


def margins(loaded: LoadedModel, prompts: list[Prompt]) -> np.ndarray:
    """Of each preference: log-probability of each other group, less that of the rejected one."""
    chosen = preferences(prompts)
    scores = group_log_probs(loaded.model, [encode_prompt(loaded.tokenizer, p) for p in chosen], 8)
    return np.array(
        [
            [row[i] - row[p.groups.index(str(p.held_against))] for i in range(len(row))
             if p.groups[i] != p.held_against]
            for p, row in zip(chosen, scores, strict=True)
        ]
    )  # fmt: skip


def test_at_the_unsteered_model_the_loss_is_that_of_a_coin() -> None:
    rejected = rejected_mask([("a", "b", "c")] * 4, ["a", "c", "b", "a"])
    for beta in (0.1, 2.0):
        assert float(preference_loss(torch.zeros(4, 3), rejected, beta)) == pytest.approx(
            math.log(2)
        )


@pytest.mark.parametrize("make", [make_prompts, make_four_groups])
@pytest.mark.parametrize("scale", [0.0, 3.0])
def test_the_loss_of_a_vector_is_that_of_the_scores_of_evaluation(
    loaded: LoadedModel, make: Any, scale: float
) -> None:
    prompts = held(make())
    params = PARAMS.model_copy(update={"batch_rows": 1000})
    trainer = PreferenceTrainer(loaded, prompts, params, seed=0)
    batches = trainer._batches(POINT.layer + 1)
    ((read, _),), (rejected,) = batches, trainer._rejected(batches, None)
    direction = scale * torch.randn(32)
    before = margins(loaded, prompts)
    expected = []
    for sign in (-1.0, 1.0):
        with steer(loaded.model, [Add(direction, sign, layer=1, site="resid_post")]):
            moved = sign * (margins(loaded, prompts) - before)
        expected.append(float(np.log1p(np.exp(-0.1 * moved)).mean()))
    found = set()
    for draw in range(20):
        trained = _Trained(direction, POINT, torch.Generator().manual_seed(draw), beta=0.1)
        found.add(round(_bipo(read, rejected, trained).item(), 5))
    assert sorted(found) == pytest.approx(sorted(set(np.round(expected, 5))), abs=2e-5)
    if scale == 0:
        assert found == {round(math.log(2), 5)}


def test_reps_is_its_equation() -> None:
    added, nulled, before = (torch.randn(5, 3).log_softmax(dim=1) for _ in range(3))
    lengths = torch.tensor([1.0, 2.0, 1.5]).expand(5, 3)
    names = ["a", "c", "b", "a", "c"]
    terms = []
    for row, name in enumerate(names):
        loser = "abc".index(name)
        for winner in {0, 1, 2} - {loser}:
            for policy, (won, lost) in ((added, (winner, loser)), (nulled, (loser, winner))):
                weight = max(float(before[row, lost] - before[row, won]), 1.0)
                margin = weight * float(policy[row, won] / lengths[row, won]) - float(
                    policy[row, lost] / lengths[row, lost]
                )
                terms.append(math.log1p(math.exp(-margin)))
    loss = reps_loss(added, nulled, before, lengths, rejected_mask([("a", "b", "c")] * 5, names))
    assert float(loss) == pytest.approx(2 * np.mean(terms), rel=1e-5)


@pytest.mark.parametrize("make", [make_prompts, make_four_groups])
@pytest.mark.parametrize("method", METHODS)
def test_training_turns_preferences_and_leaves_the_model_as_it_was(
    loaded: LoadedModel, make: Any, method: PreferenceMethod
) -> None:
    prompts = held(make())
    before = {name: tensor.clone() for name, tensor in loaded.model.state_dict().items()}
    vector = PreferenceTrainer(loaded, prompts, PARAMS, seed=0).train(
        method, POINT, unit=5.0, width=32
    )
    own = margins(loaded, prompts).mean()
    add = Add(torch.from_numpy(vector).float(), layer=1, site="resid_post")
    with steer(loaded.model, [add]):
        assert margins(loaded, prompts).mean() > own + 0.02
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(p.grad is None and p.requires_grad for p in loaded.model.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_trains_the_same_vector_and_another_another(
    loaded: LoadedModel, method: PreferenceMethod
) -> None:
    def trained(seed: int, prompts: list[Prompt] = PROMPTS, shuffle: int | None = None) -> Any:
        return PreferenceTrainer(loaded, prompts, BRIEF, seed).train(
            method, POINT, unit=5.0, width=32, shuffle=shuffle
        )

    assert np.array_equal(trained(0), trained(0))
    assert not np.array_equal(trained(0), trained(1))
    assert not np.array_equal(trained(0, shuffle=1), trained(0))
    spoilt = [
        p.model_copy(update={"text": "We met a " + p.item + " who"}) if p.split != "train" else p
        for p in PROMPTS
    ]
    assert np.array_equal(trained(0), trained(0, spoilt))


def test_a_shuffle_gives_items_the_groups_of_others() -> None:
    prompts = preferences(PROMPTS)
    own = rejected_groups(prompts, 0, None)
    assert own == [p.held_against for p in prompts]
    drawn = [rejected_groups(prompts, 0, draw) for draw in range(10)]
    assert any(each != own for each in drawn)
    for each in drawn:
        of_item: dict[str, set[str]] = {}
        for prompt, group in zip(prompts, each, strict=True):
            of_item.setdefault(prompt.item, set()).add(group)
        groups = [group for (group,) in of_item.values()]
        assert sorted(groups) == sorted({p.item: str(p.held_against) for p in prompts}.values())


def test_prompts_are_read_with_and_without_lead_ins() -> None:
    led = [p.model_copy(update={"lead_in": TEXTS[0] + " "}) for p in PROMPTS]
    assert [p.lead_in for p in preferences(led)] == [TEXTS[0] + " "] * 8 + [""] * 8


def test_gradients_flow_through_what_is_added() -> None:
    direction = torch.randn(4, requires_grad=True)
    edited: Tensor = Add(direction, 2.0, layer=0, site="resid_post")(torch.zeros(1, 1, 4))
    (gradient,) = torch.autograd.grad(edited.sum(), [direction])
    assert torch.equal(gradient, torch.full((4,), 2.0))


def test_what_is_nulled_has_nothing_left_on_the_side_of_the_vector() -> None:
    vector, stream = torch.randn(6), torch.randn(2, 20, 6)
    nulled = _Null(vector, layer=0, site="resid_post")(stream)
    before, after = stream @ vector, nulled @ vector
    assert (before > 0.1).any()
    torch.testing.assert_close(after, before.clamp(max=0), atol=1e-5, rtol=0)
    torch.testing.assert_close(nulled[before <= 0], stream[before <= 0])


def test_without_preferences_there_is_nothing_to_train_on(loaded: LoadedModel) -> None:
    message = "prompts of axis gender: none of the train split .* drop the methods bipo, reps"
    with pytest.raises(BadInputError, match=message):
        PreferenceTrainer(loaded, make_prompts(), PARAMS, seed=0)
