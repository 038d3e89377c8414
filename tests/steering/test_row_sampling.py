from typing import Any

import pytest
import torch

from evenkeel.models.batching import padded
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from evenkeel.steering.row_sampling import RowSampler, RowSamplers
from evenkeel.steering.rows import RowSpec

TEXTS = [[5, 9, 2, 7, 30], [8, 8, 1], [40, 3, 11, 12]]


def test_draws_follow_the_softmax_of_the_nucleus() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    sampler = RowSampler(temperature=0.7, top_p=0.9, seed=1)
    draws = torch.tensor([int(sampler.scores(logits).argmax()) for _ in range(4000)])
    probabilities = (logits / 0.7).softmax(-1)
    # The first two hold 0.94 of the probability, the first alone 0.76.
    expected = torch.tensor([*(probabilities[:2] / probabilities[:2].sum()), 0.0, 0.0])
    found = draws.bincount(minlength=4) / len(draws)
    assert (found - expected).abs().max() < 0.03
    assert found[2:].sum() == 0


def test_the_same_seed_draws_the_same_and_greedy_is_the_argmax() -> None:
    logits = torch.randn(50)
    one, other = (RowSampler(temperature=1.0, seed=-7) for _ in range(2))
    assert torch.equal(one.scores(logits), other.scores(logits))
    assert not torch.equal(one.scores(logits), RowSampler(temperature=1.0, seed=8).scores(logits))
    for greedy in (RowSampler(), RowSampler(temperature=1e-300)):
        assert int(greedy.scores(logits).argmax()) == int(logits.argmax())


def test_two_models_part_only_where_the_likelier_token_changes() -> None:
    """Oberst and Sontag 2019, definition 3.1."""
    generator = torch.Generator().manual_seed(0)
    for seed in range(200):
        logits = torch.randn(20, generator=generator)
        other = logits + torch.randn(20, generator=generator)
        first = int(RowSampler(1.0, seed=seed).scores(logits).argmax())
        second = int(RowSampler(1.0, seed=seed).scores(other).argmax())
        assert first == second or (other - logits)[second] > (other - logits)[first]


def continued(model: Any, texts: list[list[int]], seeds: list[int], rows: list[RowSpec]) -> Any:
    inputs = padded(texts, left=True)
    samplers = RowSamplers([RowSampler(0.9, 0.95, seed) for seed in seeds])
    with steer(model, rows):
        output = model.generate(
            **inputs,
            do_sample=False,
            logits_processor=[samplers],
            max_new_tokens=8,
            min_new_tokens=8,
        )
    return output[:, inputs["input_ids"].shape[1] :]


def test_a_sampled_row_goes_on_as_it_does_alone(tiny_gpt2: Any) -> None:
    model = tiny_gpt2.double()
    rows = [RowSpec(Add(torch.randn(32), 5.0, layer=1, site="resid_post")), RowSpec(None)]
    rows.append(RowSpec(rows[0].spec, 0.3))
    together = continued(model, TEXTS, [3, 4, 5], rows)
    for index, text in enumerate(TEXTS):
        alone = continued(model, [text], [3 + index], [rows[index]])
        assert torch.equal(alone[0], together[index])


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_off_is_unsteered_with_the_same_random_numbers(tiny_gpt2: Any, temperature: float) -> None:
    off = RowSpec(Add(torch.randn(32), layer=1, site="resid_post"), enabled=False)
    inputs = padded(TEXTS, left=True)
    how = {"max_new_tokens": 5, "do_sample": False}

    def samplers() -> Any:
        return [RowSamplers([RowSampler(temperature, seed=seed) for seed in range(3)])]

    with steer(tiny_gpt2, [off] * 3):
        found = tiny_gpt2.generate(**inputs, **how, logits_processor=samplers())
    assert torch.equal(found, tiny_gpt2.generate(**inputs, **how, logits_processor=samplers()))
