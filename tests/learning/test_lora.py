"""Fine-tuning baselines: their losses, and what they do to a model's scores."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.learning.adapters import adapted
from evenkeel.learning.lora import LoraTrainer
from evenkeel.learning.preference import preferences
from evenkeel.metrics.bias import centred, pairwise_square
from evenkeel.models.loading import LoadedModel
from evenkeel.params import LoraMethod, LoraParams
from evenkeel.scoring.group_reads import encode_prompt, group_log_probs
from tests.evaluation.samples import TEXTS, make_four_groups, make_prompts
from tests.learning.test_adapters import random_adapter
from tests.learning.test_preference import PROMPTS, held, margins

pytest.importorskip("peft")
PARAMS = LoraParams(
    rank=2, steps=30, rate=0.01, batch_rows=8, beta=0.5, texts=4, multipliers=[1.0], shuffles=1
)
BRIEF = PARAMS.model_copy(update={"steps": 3})
METHODS: tuple[LoraMethod, ...] = ("cda_lora", "dpo_lora")


def trainer(
    loaded: LoadedModel,
    prompts: Sequence[Prompt] = PROMPTS,
    params: LoraParams = BRIEF,
    seed: int = 0,
) -> LoraTrainer:
    return LoraTrainer(loaded, prompts, TEXTS, params, seed)


def of_train(prompts: Sequence[Prompt], kind: str) -> list[Prompt]:
    return [p for p in prompts if (p.kind, p.split) == (kind, "train") and not p.contexts]


def scores(loaded: LoadedModel, prompts: Sequence[Prompt]) -> np.ndarray:
    return group_log_probs(loaded.model, [encode_prompt(loaded.tokenizer, p) for p in prompts], 8)


@pytest.mark.parametrize("make", [make_prompts, make_four_groups])
def test_the_loss_of_preferences_is_that_of_the_scores_of_evaluation(
    loaded: LoadedModel, make: Any
) -> None:
    prompts = held(make())
    whole = PARAMS.model_copy(update={"batch_rows": 1000})
    (first,), (second,) = trainer(loaded, prompts, whole)._preferences(None)
    assert (first().item(), second().item()) == pytest.approx((math.log(2),) * 2)
    known = of_train(prompts, "definitional")
    right = [p.groups.index(str(p.expected)) for p in known]

    def ahead() -> np.ndarray:
        """Of the right group before each other one."""
        rows = scores(loaded, known)
        return np.array([row[i] - np.delete(row, i) for row, i in zip(rows, right, strict=True)])

    before = margins(loaded, prompts), ahead()
    assert len(preferences(prompts)) == len(before[0])
    with adapted(loaded.model, random_adapter(loaded.model)):
        moved = margins(loaded, prompts) - before[0], ahead() - before[1]
        found = first().item(), second().item()
    expected = [float(np.log1p(np.exp(-0.5 * each)).mean()) for each in moved]
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_loss_of_counterfactuals_is_the_cross_entropy_of_what_every_group_says(
    loaded: LoadedModel,
) -> None:
    whole = PARAMS.model_copy(update={"batch_rows": 1000})
    found = [[loss().item() for loss in of_kind] for of_kind in
             trainer(loaded, PROMPTS, whole)._counterfactuals(None)]  # fmt: skip

    def nll(prompt: Prompt, word: str) -> float:
        context = loaded.encoder.encode(prompt.text)
        ids = loaded.encoder.encode(prompt.text + word)
        with torch.no_grad():
            read = loaded.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        return -sum(float(read[i - 1, ids[i]]) for i in range(len(context), len(ids)))

    every = [
        nll(p, word)
        for p in of_train(PROMPTS, "stereotypical")
        for words in p.continuations.values()
        for word in words
    ]
    right = [
        nll(p, word)
        for p in of_train(PROMPTS, "definitional")
        for word in p.continuations[str(p.expected)]
    ]
    assert found[0] == pytest.approx([np.mean(every)], rel=1e-4)
    assert found[1] == pytest.approx([np.mean(right)], rel=1e-4)
    tokens = []
    for text in TEXTS[:4]:
        ids = loaded.encoder.encode(text)
        with torch.no_grad():
            read = loaded.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        tokens += [-float(read[i - 1, ids[i]]) for i in range(1, len(ids))]
    assert found[2] == pytest.approx([np.mean(tokens)], rel=1e-4)


@pytest.mark.parametrize("make", [make_prompts, make_four_groups])
def test_counterfactuals_take_the_bias_and_preferences_turn_it(
    loaded: LoadedModel, make: Any
) -> None:
    prompts = held(make())
    asked = of_train(prompts, "stereotypical")

    def bias() -> float:
        return float(pairwise_square(centred(scores(loaded, asked))).mean())

    own, ahead = bias(), margins(loaded, prompts).mean()
    with adapted(loaded.model, trainer(loaded, prompts, PARAMS).train("cda_lora")):
        assert bias() < 0.7 * own
    with adapted(loaded.model, trainer(loaded, prompts, PARAMS).train("dpo_lora")):
        assert margins(loaded, prompts).mean() > ahead + 0.5
    assert bias() == own
    assert all(parameter.grad is None for parameter in loaded.model.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_trains_the_same_adapter_of_the_train_split(
    loaded: LoadedModel, method: LoraMethod
) -> None:
    def trained(
        seed: int = 0, shuffle: int | None = None, prompts: list[Prompt] = PROMPTS
    ) -> torch.Tensor:
        adapter = trainer(loaded, prompts, seed=seed).train(method, shuffle)
        return torch.cat([factor.flatten() for factor in adapter.factors.values()])

    spoilt = [
        p.model_copy(update={"text": "We met a " + p.item + " who"}) if p.split != "train" else p
        for p in PROMPTS
    ]
    assert torch.equal(trained(), trained())
    assert torch.equal(trained(), trained(prompts=spoilt))
    assert not torch.equal(trained(), trained(seed=1))
    assert not torch.equal(trained(), trained(shuffle=1))


def test_what_adapters_cannot_be_trained_on_is_refused(loaded: LoadedModel) -> None:
    with pytest.raises(BadInputError, match="there are 8 and 0; give some, or drop it from"):
        LoraTrainer(loaded, PROMPTS, [], BRIEF, 0).train("cda_lora")
    with pytest.raises(BadInputError, match="none of the train split is stereotypical"):
        trainer(loaded, make_prompts()).train("dpo_lora")
