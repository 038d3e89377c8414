"""Learned edits are trained on the train split: bias falls, the model stays as it was."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from evenkeel.activations.capture import capture_texts
from evenkeel.conditions.learned import LearnedCondition, make_learned_conditions
from evenkeel.controls.nulls import null_conditions
from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.learning.passes import PromptPass
from evenkeel.metrics.bias import centred, pairwise_square
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.models.token_count import with_tokens
from evenkeel.params import ReftParams
from evenkeel.scoring.group_reads import encode_prompt, group_log_probs
from evenkeel.selection.item_gates import (
    ItemGates,
    balanced_weights,
    item_threshold,
)
from evenkeel.selection.reft import ReftTrainer
from evenkeel.steering.hooks import steer
from tests.evaluation.samples import ITEMS, TEXTS, make_four_groups, make_prompts

PARAMS = ReftParams(
    ranks=[1, 2],
    layers=[[1], [0, 1]],
    multipliers=[0.5, 1.0],
    max_kl=20.0,
    steps=40,
    batch_rows=8,
    texts=3,
    open_at_known=0.1,
    further_items=True,
    shuffles=2,
)
BRIEF = PARAMS.model_copy(update={"steps": 4})
"""Enough where it matters what is trained, and on what, but not how well."""


@pytest.fixture
def loaded(tiny_gpt2: Any, tokenizer: Any) -> LoadedModel:
    return LoadedModel(tiny_gpt2, tokenizer, provenance=None)  # type: ignore[arg-type]


def trainer(loaded: LoadedModel, prompts: list[Prompt], params: ReftParams = BRIEF) -> ReftTrainer:
    return ReftTrainer(loaded, prompts, TEXTS, params, seed=0)


def bias(loaded: LoadedModel, prompts: list[Prompt]) -> float:
    train = [p for p in prompts if (p.split, p.kind) == ("train", "stereotypical")]
    encoded = [encode_prompt(loaded.tokenizer, p) for p in train if not p.contexts]
    return float(pairwise_square(centred(group_log_probs(loaded.model, encoded, 8))).mean())


@pytest.mark.parametrize("make", [make_prompts, make_four_groups])
@pytest.mark.parametrize("layers", [(1,), (0, 1)])
def test_training_takes_the_bias_of_two_groups_and_of_four(
    loaded: LoadedModel, make: Any, layers: tuple[int, ...]
) -> None:
    # A random model does not tell what is known; its gates would stay shut.
    params = PARAMS.model_copy(update={"open_at_known": 1.0})
    prompts = make()
    before = {name: tensor.clone() for name, tensor in loaded.model.state_dict().items()}
    edits = trainer(loaded, prompts, params).train(2, layers)
    assert [edit.layer for edit in edits] == list(layers)
    unsteered = bias(loaded, prompts)
    with steer(loaded.model, edits):
        assert bias(loaded, prompts) < 0.9 * unsteered
    assert bias(loaded, prompts) == unsteered
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(parameter.grad is None for parameter in loaded.model.parameters())
    assert not any(tensor.requires_grad for edit in edits for tensor in (edit.source, edit.bias))


def test_without_definitional_prompts_their_limit_is_not_asked(loaded: LoadedModel) -> None:
    prompts = [p for p in make_prompts() if (p.split, p.kind) != ("train", "definitional")]
    (edit,) = trainer(loaded, prompts).train(1, [1])
    assert bool(edit.source.isfinite().all())


def test_the_same_seed_trains_the_same_edit(loaded: LoadedModel) -> None:
    first, second = (trainer(loaded, make_prompts()).train(1, [1])[0] for _ in range(2))
    for name in ("rotation", "source", "bias"):
        assert torch.equal(getattr(first, name), getattr(second, name))


def test_nothing_of_the_test_split_is_trained_on(loaded: LoadedModel) -> None:
    own = make_prompts()
    spoilt = [
        p.model_copy(update={"text": "We met a " + p.item + " who"}) if p.split == "test" else p
        for p in own
    ]
    (first,), (second,) = (trainer(loaded, prompts).train(1, [1]) for prompts in (own, spoilt))
    assert torch.equal(first.source, second.source)


def test_further_items_are_trained_on_where_that_is_asked(loaded: LoadedModel) -> None:
    own = make_prompts()
    asked = next(p for p in own if (p.split, p.kind) == ("train", "stereotypical"))
    further = asked.model_copy(
        update={
            "id": "further",
            "kind": "further",
            "item": "sailor",
            "text": asked.text.replace(asked.item, "sailor"),
        }
    )

    def trained(prompts: list[Prompt], **changes: bool) -> Tensor:
        params = BRIEF.model_copy(update=changes)
        return trainer(loaded, prompts, params).train(1, [1])[0].source

    without = trained(own)
    assert torch.equal(trained([*own, further], further_items=False), without)
    assert not torch.equal(trained([*own, further], further_items=True), without)


def test_scores_and_divergences_are_those_of_evaluation(loaded: LoadedModel) -> None:
    encoded = [
        encode_prompt(loaded.tokenizer, p) for p in make_prompts() if p.kind == "stereotypical"
    ][:5]
    read = PromptPass.of(loaded.model, encoded, start=2)
    expected = centred(group_log_probs(loaded.model, encoded, 8))
    scores = read.scores(read.read.unsteered)
    torch.testing.assert_close(scores.double(), torch.from_numpy(expected), atol=1e-5, rtol=1e-5)
    for merged in (False, True):
        assert float(read.divergence(read.read.unsteered, merged=merged)) == 0
    # What is moved within the groups' words alone costs nothing where they count as one.
    moved = read.read.unsteered.clone()
    for prompt, begins in enumerate(read.begins):
        one, other = begins.nonzero().flatten()[:2].tolist()
        place = int(read.context[prompt])
        moved[place, [one, other]] = moved[place, [other, one]]
    assert float(read.divergence(moved, merged=True)) == pytest.approx(0, abs=1e-6)
    assert float(read.divergence(moved, merged=False)) > 1e-4


def test_every_rank_layer_set_and_strength_is_a_candidate(loaded: LoadedModel) -> None:
    train = with_tokens(loaded.model, trainer(loaded, make_prompts()).train)
    found = list(make_learned_conditions(train, [1, 2], [[1], [0, 1]], [0.5, 1.0], shuffles=2))
    assert [(c.rank, c.recipe.layer, c.multiplier) for c in found] == [
        (1, 1, 0.5),
        (1, 1, 1.0),
        (1, (0, 1), 0.5),
        (1, (0, 1), 1.0),
        (2, 1, 0.5),
        (2, 1, 1.0),
        (2, (0, 1), 0.5),
        (2, (0, 1), 1.0),
    ]
    assert {condition.name for condition in found} == {"reft_probe"}
    assert all(condition.train_tokens for condition in found)
    assert found[0].train_tokens == found[1].train_tokens  # one training, at two strengths
    assert [edit.multiplier for edit in found[2].at(3.0).interventions] == [1.5, 1.5]  # type: ignore[attr-defined]


def test_base_rates_of_words_are_not_trained_away(loaded: LoadedModel) -> None:
    """Where no bias is not parity, items lose what tells them apart and keep what they share."""
    prompts = [prompt.model_copy(update={"parity": False}) for prompt in make_prompts()]
    alike, own = (trainer(loaded, each)._batches_from(1) for each in (make_prompts(), prompts))
    assert all((target == 0).all() for target in alike.targets(None))
    assert own.unsteered_bias < alike.unsteered_bias
    left = torch.cat(own.targets(None))
    torch.testing.assert_close(left.sum(dim=1), torch.zeros(len(left)))
    templates = [own._prompts[index].template for index in own._order]
    for template in set(templates):
        rows = [row for row, each in enumerate(templates) if each == template]
        torch.testing.assert_close(left[rows].mean(0), own._scores[rows].mean(0))
    shuffled = torch.cat(own.targets(0))
    torch.testing.assert_close(shuffled.mean(0), left.mean(0), atol=0.1, rtol=0)


def test_null_edits_are_trained_on_other_items_or_turned(loaded: LoadedModel) -> None:
    train = with_tokens(loaded.model, trainer(loaded, make_prompts()).train)
    condition = LearnedCondition(train(2, [0, 1], None)[0], train, shuffles=2)
    nulls = null_conditions(condition, None, draws=3, seed=0)  # type: ignore[arg-type]
    assert {kind: len(drawn) for kind, drawn in nulls.items()} == {
        "shuffled_items": 2,
        "random_subspace": 3,
    }
    stream = torch.randn(1, 4, 32)
    for drawn in nulls["random_subspace"]:
        for null, own in zip(drawn.interventions, condition.interventions, strict=True):
            sizes = [(edit(stream) - stream).norm(dim=-1) for edit in (null, own)]
            torch.testing.assert_close(*sizes)
            assert not torch.allclose(null(stream), own(stream))
    sources = [drawn.interventions[0].source for drawn in nulls["shuffled_items"]]  # type: ignore[attr-defined]
    assert not torch.equal(*sources)


def test_gates_open_from_a_stereotyped_item_on(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams in which dimension 0 tells whether an occupation was read already."""
    jobs = {job for items in ITEMS.values() for job in items}

    def streams(texts: list[str]) -> Tensor:
        parts = []
        for text in texts:
            ids = loaded.encoder.encode(text)
            read = [loaded.tokenizer.decode(ids[: end + 1]) for end in range(len(ids))]
            seen = [float(any(f" {job}" in so_far for job in jobs)) for so_far in read]
            parts.append(torch.randn(len(ids), 32) / 10)
            parts[-1][:, 0] += 3 * torch.tensor(seen)
        return torch.cat(parts)

    monkeypatch.setattr(
        "evenkeel.selection.item_gates.capture_texts",
        lambda _loaded, texts, sites, layers, positions: {
            HookPoint("resid_post", layer): streams(texts).numpy() for layer in layers
        },
    )
    point = HookPoint("resid_post", 1)
    gate = ItemGates(loaded, make_prompts(), TEXTS, [point], 0.1).at(point)
    for text, opens in (("Our pilot slept while", True), ("Our queen slept while", False)):
        assert gate(streams([text])[None])[0, -1].item() is opens


def test_a_gate_hardly_opens_at_what_is_known_even_where_it_cannot_tell(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = HookPoint("resid_post", 1)
    seen: list[torch.Tensor] = []

    def noise(_loaded: Any, texts: list[str], *_: Any, **__: Any) -> dict[HookPoint, Any]:
        seen.append(torch.randn(sum(map(len, loaded.encoder.encode_all(texts))), 32))
        return {point: seen[-1].numpy()}

    monkeypatch.setattr("evenkeel.selection.item_gates.capture_texts", noise)
    monkeypatch.setattr(
        "evenkeel.selection.item_gates.kept_rows",
        lambda rows, *_: np.ones(len(rows), dtype=bool),
    )
    gates = ItemGates(loaded, make_prompts(), TEXTS, [point], 0.1)
    known = torch.from_numpy(gates._validation.known[point])
    opened = gates.at(point)(seen[1][None])[0][known]

    assert len(opened) >= 10
    assert opened.sum() <= np.ceil(0.1 * len(opened))


def test_a_gate_opens_at_the_last_item_if_that_opens_it_at_few_that_are_known() -> None:
    items = np.concatenate([[0.0], np.linspace(2, 3, 29)])
    known = np.linspace(-2, -1, 20)
    assert -1 < item_threshold(items, known, 0.1) < 0.01, "nothing known is nearer than the item"
    known[:1] = 1.0
    assert item_threshold(items, known, 0.1) < 0.1, "1 of 20 may be opened at"
    known[:10] = 1.0
    assert item_threshold(items, known, 0.1) == 1.0, "10 of 20 may not"


def test_every_kind_of_token_counts_for_as_much_in_a_gate() -> None:
    inside = np.repeat([True, False, False], [2, 3, 95])
    known = np.repeat([False, True, False], [2, 3, 95])
    weights = balanced_weights(inside, known)
    for kind in (inside, known, ~(inside | known)):
        assert weights[kind].sum() == pytest.approx(100 / 3)
    without = balanced_weights(inside, np.zeros_like(known))
    assert [without[side].sum() for side in (inside, ~inside)] == pytest.approx([50, 50])


def test_what_edits_cannot_be_trained_on_is_refused(loaded: LoadedModel) -> None:
    with pytest.raises(BadInputError, match="hold 0 of kind 'plain', which learned edits"):
        ReftTrainer(loaded, make_prompts(), [], PARAMS, seed=0)
    spoilt = [p.model_copy(update={"text": "Someone said that"}) for p in make_prompts()]
    with pytest.raises(BadInputError, match="does not hold its item 'maid'"):
        trainer(loaded, spoilt).train(1, [1])
    untrained = [p for p in make_prompts() if p.kind != "stereotypical" or p.split != "train"]
    with pytest.raises(BadInputError, match="train split lacks stereotypical prompts"):
        trainer(loaded, untrained).train(1, [1])


def test_edits_and_gates_are_made_on_prompts_without_their_lead_ins_as_well(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    gated: list[str] = []

    def encoded(tokenizer: Any, prompt: Prompt) -> Any:
        trained.append(prompt.lead_in + prompt.text)
        return encode_prompt(tokenizer, prompt)

    def captured(own: LoadedModel, texts: list[str], *where: Any, **how: Any) -> Any:
        gated.extend(texts)
        return capture_texts(own, texts, *where, **how)

    monkeypatch.setattr("evenkeel.selection.reft_batches.encode_prompt", encoded)
    monkeypatch.setattr("evenkeel.selection.item_gates.capture_texts", captured)
    prompts = [p.model_copy(update={"lead_in": "It was late. "}) for p in make_prompts()]
    trainer(loaded, prompts).train(1, [1])
    train = [p for p in prompts if p.split == "train" and not p.contexts and p.kind != "neutral"]
    both = {before + p.text for p in train for before in ("", "It was late. ")}
    assert set(trained) == both
    assert both < set(gated)
