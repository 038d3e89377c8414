"""The staged search finds what the exhaustive sweep finds, for a part of its passes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.vector import VectorCondition
from evenkeel.scoring.prompt_set import Readings
from evenkeel.selection.budget import Budget
from evenkeel.selection.choice import select
from evenkeel.selection.evaluator import Candidate, Measurement
from evenkeel.selection.search import STAGES, part_of_prompts, search
from evenkeel.statistics.estimate import Estimate
from tests.evaluation.samples import make_four_groups, make_prompts, make_vectors

BUDGET = Budget(max_perplexity_ratio=1.02, max_definitional_loss=0.05)
NOTHING = Readings(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
VECTOR = make_vectors(layers=1)[0]


def conditions(number: int) -> list[Condition]:
    actions = ("add", "ablate")
    return [
        VectorCondition(((VECTOR,),), actions[index % 2], float(index))  # type: ignore[arg-type]
        for index in range(number)
    ]


class Noisy:
    """Evaluates conditions of known gains and costs; a part of the set shows them with noise."""

    def __init__(self, seed: int, number: int) -> None:
        rng = np.random.default_rng(seed)
        self.gains = rng.uniform(-0.5, 0.95, number)
        self.ratios = 1 + rng.exponential(0.02, number)
        self.rng = rng
        self.read = Counter[float]()

    def part(self, share: float) -> Any:
        owner = self

        class Evaluator:
            def compare(
                self, tried: Sequence[Condition], _title: str, *, with_kl: bool
            ) -> list[Candidate]:
                assert not with_kl
                owner.read[share] += len(tried)
                return [owner.measured(condition, share) for condition in tried]

        return Evaluator()

    def measured(self, condition: Condition, share: float) -> Candidate:
        index = int(condition.recipe.multiplier or 0)
        error = 0.02 * (1 / share - 1) ** 0.5
        gain = self.gains[index] + self.rng.normal(0, error)
        ratio = self.ratios[index] + self.rng.normal(0, error / 20)
        measures = {
            "bias_reduction": Estimate(gain, gain - 2 * error, gain + 2 * error),
            "perplexity_ratio": Estimate(ratio, ratio - error / 10, ratio + error / 10),
            "definitional_accuracy_change": Estimate(0.0, 0.0, 0.0),
        }
        return Candidate(condition, Measurement(NOTHING, measures, None))


def test_a_tenth_or_so_of_the_passes_finds_the_best_or_nearly() -> None:
    regrets = []
    for seed in range(20):
        noisy = Noisy(seed, 400)
        result = search(conditions(400), noisy.part, BUDGET)
        assert result.passes == pytest.approx(sum(s * n for s, n in noisy.read.items()))
        assert result.passes < 0.15 * 400
        best = max(g for g, r in zip(noisy.gains, noisy.ratios, strict=True) if r <= 1.02)
        selected = select(result.candidates, BUDGET).selected
        assert selected is not None
        regrets.append(best - noisy.gains[int(selected.condition.recipe.multiplier or 0)])
    assert sum(regret <= 0.01 for regret in regrets) >= 19


def test_the_exhaustive_sweep_reads_everything_on_the_whole_set() -> None:
    noisy = Noisy(0, 30)
    result = search(conditions(30), noisy.part, BUDGET, stages=())
    assert noisy.read == {1.0: 30}
    assert result.passes == 30
    assert {candidate.share for candidate in result.candidates} == {1.0}


def test_the_best_of_each_name_comes_to_the_end() -> None:
    noisy = Noisy(1, 200)
    noisy.gains[::2] -= 0.6  # every other action is far worse
    result = search(conditions(200), noisy.part, BUDGET)
    finalists = {each.condition.name for each in result.candidates if each.share == 1}
    assert finalists == {"caa_add", "caa_ablate"}
    assert len(result.candidates) == 200
    order = [each.condition.recipe.multiplier for each in result.candidates]
    assert order == list(range(200)), "in the order of the conditions"


@given(st.floats(0.05, 1), st.integers(0, 20))
def test_a_part_holds_its_share_of_every_kind(share: float, seed: int) -> None:
    prompts = [p for p in make_prompts() + make_four_groups() if p.split == "test"]
    part = part_of_prompts(prompts, share, seed)
    assert part == part_of_prompts(prompts, share, seed)
    assert [prompt for prompt in prompts if prompt in part] == part, "in their order"
    whole, kept = (
        Counter((p.axis, p.kind, p.direction, p.expected or p.held_against) for p in rows)
        for rows in (prompts, part)
    )
    for kind, number in whole.items():
        assert abs(kept[kind] - share * number) < 1 + 1e-6


def test_stages_grow() -> None:
    shares = [stage.share for stage in STAGES]
    assert shares == sorted(shares)
    assert all(0 < stage.kept < 1 for stage in STAGES)
