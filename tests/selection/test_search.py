"""The staged search finds what the exhaustive sweep finds, for a part of its passes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.recipe import Recipe
from evenkeel.conditions.vector import VectorCondition, make_vector_conditions
from evenkeel.datasets.records import Prompt
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.params import Action
from evenkeel.scoring.prompt_set import PromptSet, Readings
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate, Measurement
from evenkeel.selection.choice import select
from evenkeel.selection.evaluator import Evaluator
from evenkeel.selection.first_order import PASSES
from evenkeel.selection.search import (
    CONFIRMED,
    LEAST,
    STAGES,
    Stage,
    part_of_prompts,
    search,
)
from evenkeel.statistics.estimate import Estimate
from tests.evaluation.samples import TEXTS, make_four_groups, make_prompts, make_vectors

BUDGET = Budget(max_perplexity_ratio=1.02, max_definitional_loss=0.05)
NOTHING = Readings(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))


def conditions(number: int) -> list[Condition]:
    """Each of its own method, but for two actions: none tells anything about another."""
    return [_Condition(index) for index in range(number)]


class _Condition(Condition):
    def __init__(self, index: int) -> None:
        self.index = index

    @property
    def recipe(self) -> Recipe:
        return Recipe(method="caa", action=("add", "ablate")[self.index % 2], layer=self.index)


def index_of(condition: Condition) -> int:
    layer = condition.recipe.layer
    assert isinstance(layer, int)
    return layer


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
            def estimate(self, tried: Sequence[Condition]) -> list[Candidate | None]:
                return [owner.estimated(condition) for condition in tried]

            def compare(
                self, tried: Sequence[Condition], _title: str, *, with_kl: bool
            ) -> list[Candidate]:
                assert not with_kl
                owner.read[share] += len(tried)
                return [owner.measured(condition, share) for condition in tried]

        return Evaluator()

    def estimated(self, condition: Condition) -> Candidate | None:
        return None

    def measured(self, condition: Condition, share: float) -> Candidate:
        index = index_of(condition)
        error = 0.02 * (1 / share - 1) ** 0.5
        gain = self.gains[index] + self.rng.normal(0, error)
        ratio = self.ratios[index] + self.rng.normal(0, error / 20)
        measures = {
            "bias_reduction": Estimate(gain, gain - 2 * error, gain + 2 * error),
            "perplexity_ratio": Estimate(ratio, ratio - error / 10, ratio + error / 10),
            "definitional_accuracy_change": Estimate(0.0, 0.0, 0.0),
            "definitional_auroc_change": Estimate(0.0, 0.0, 0.0),
        }
        return Candidate(condition, Measurement(NOTHING, measures, None))


def test_a_sixth_of_the_passes_or_so_finds_the_best_or_nearly() -> None:
    regrets = []
    for seed in range(20):
        noisy = Noisy(seed, 400)
        result = search(conditions(400), noisy.part, BUDGET)
        measured = sum(s * n for s, n in noisy.read.items())
        assert result.passes == pytest.approx(measured + PASSES * STAGES[0].share)
        assert result.passes < 0.2 * 400
        best = max(g for g, r in zip(noisy.gains, noisy.ratios, strict=True) if r <= 1.02)
        selected = select(result.candidates, BUDGET).selected
        assert selected is not None
        regrets.append(best - noisy.gains[index_of(selected.condition)])
    assert sum(regret <= 0.01 for regret in regrets) >= 19


class Estimated(Noisy):
    """Estimates of the first forty are what they gain; what the others gain is unknown."""

    def estimated(self, condition: Condition) -> Candidate | None:
        index = index_of(condition)
        reduction = {"bias_reduction": Estimate(float(self.gains[index]))}
        estimate = Candidate(condition, Measurement(NOTHING, reduction, None), share=0.0)
        return estimate if index < 40 else None


def test_half_of_many_ablations_go_on_by_their_estimates() -> None:
    estimated = Estimated(0, 44)
    result = search(conditions(44), estimated.part, BUDGET)
    dropped = {index_of(each.condition) for each in result.candidates if each.share == 0}
    ablated = [index for index in range(40) if index % 2]
    assert dropped == set(sorted(ablated, key=lambda index: estimated.gains[index])[:10])
    assert estimated.read[STAGES[0].share] == 44 - len(dropped)
    assert not any(BUDGET.allows(result.candidates[index]) for index in dropped)


def test_few_ablations_are_all_measured() -> None:
    estimated = Estimated(0, 2 * LEAST)
    result = search(conditions(2 * LEAST), estimated.part, BUDGET)
    assert estimated.read[STAGES[0].share] == 2 * LEAST
    assert all(candidate.share for candidate in result.candidates)


def test_an_interval_that_misses_by_little_drops_nobody() -> None:
    """The best is close to a limit, and one part in forty or so has it beyond."""

    class Missed(Noisy):
        def measured(self, condition: Condition, share: float) -> Candidate:
            candidate = super().measured(condition, share)
            index = index_of(condition)
            ratio, end = {0: (1.03, 1.021), 1: (1.2, 1.19)}.get(index, (1.0, 1.0))
            if index == 0 and share == 1:
                ratio, end = 1.019, 1.018
            gain = {0: 0.9, 1: 0.95}.get(index, 0.3)
            candidate.measures["bias_reduction"] = Estimate(gain, gain - 0.1, gain + 0.1)
            candidate.measures["perplexity_ratio"] = Estimate(ratio, end, 2 * ratio - end)
            return candidate

    missed = Missed(0, 30)
    result = search(conditions(30), missed.part, BUDGET)
    selected = select(result.candidates, BUDGET).selected
    assert selected is not None
    assert index_of(selected.condition) == 0
    assert result.candidates[1].share == STAGES[0].share, "what is far beyond is dropped at once"


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
    finalists = {each.condition.name for each in result.candidates if each.share >= 1 / 3}
    assert finalists == {"caa_add", "caa_ablate"}
    assert len(result.candidates) == 200
    order = [index_of(each.condition) for each in result.candidates]
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


@given(st.floats(0.05, 0.95), st.integers(0, 20))
def test_templates_are_as_frequent_in_a_part_as_in_the_whole(share: float, seed: int) -> None:
    example = make_four_groups()[0]
    prompts = [
        example.model_copy(
            update={
                "id": f"{group} {item} {frame}",
                "item": f"{group} {item}",
                "template": str(frame),
                "held_against": str(group),
            }
        )
        for group in range(4)
        for item in range(5)
        for frame in range(6)
    ]
    counts = Counter(each.template for each in part_of_prompts(prompts, share, seed))
    assert max(counts.values()) - min(counts[str(frame)] for frame in range(6)) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_a_part_can_tell_groups_apart(seed: int) -> None:
    """AUROC compares items of two groups in the same template."""
    prompts = [
        Prompt(
            id=f"{group} {item} {template}",
            axis="gender",
            kind="definitional",
            direction="group_given_item",
            template=f"{{subject}}, template {template},",
            item=f"{group} {item}",
            split="validation",
            text=f"The {group} {item}, template {template},",
            continuations={"female": (" she",), "male": (" he",)},
            expected=group,
        )
        for group in ("female", "male")
        for item in range(5)
        for template in range(6)
    ]
    part = part_of_prompts(prompts, 1 / 12, seed)
    asked = {(prompt.expected, prompt.template) for prompt in part}
    shared = {template for group, template in asked if group == "female"}
    assert shared & {template for group, template in asked if group == "male"}


def test_stages_grow() -> None:
    shares = [stage.share for stage in STAGES]
    assert shares == sorted(shares)
    kept = [stage.kept for stage in STAGES]
    assert kept == sorted(kept, reverse=True)


MULTIPLIERS: dict[Action, list[float]] = {"add": [-0.3, 0.3], "ablate": [0.5, 0.75, 1.0, 1.25]}


def evaluator_of(model: Any, tokenizer: Any) -> Evaluator:
    chosen = [prompt for prompt in make_prompts() if prompt.split == "test"]
    measures = PromptSetMeasures(PromptSet.of(model, tokenizer, chosen, TEXTS), 50, 0)
    return Evaluator(model, tokenizer, measures, CompetenceGate(-1), batch_size=64)


def test_other_multipliers_follow_from_one(tiny_gpt2: Any, tokenizer: Any) -> None:
    """Of small edits exactly, and the one that was measured is itself."""
    small: dict[Action, list[float]] = {"add": [0.001, 0.002], "ablate": [0.01, 0.02]}
    tried = make_vector_conditions(make_vectors(), "gender", ["caa"], "all", small)
    evaluator = evaluator_of(tiny_gpt2, tokenizer)
    measured = evaluator.compare(tried, "", with_kl=True)
    for one, other in zip(measured[::2], measured[1::2], strict=True):
        assert isinstance(other.condition, VectorCondition)
        found = evaluator.interpolate(other.condition, one)
        assert found.interpolated
        before = evaluator.readings.stereotypical
        moved, expected = (
            each.measurement.readings.stereotypical - before for each in (found, other)
        )
        assert moved == pytest.approx(expected, abs=0.05 * np.abs(expected).max() + 2e-6)
        same = evaluator.interpolate(other.condition, other)
        assert same.value("bias_reduction") == pytest.approx(other.value("bias_reduction"))
        assert same.value("kl_neutral") == pytest.approx(other.value("kl_neutral"))


def test_one_of_the_multipliers_is_measured_and_the_winner_confirmed(
    tiny_gpt2: Any, tokenizer: Any
) -> None:
    tried = make_vector_conditions(make_vectors(), "gender", ["caa"], "all", MULTIPLIERS)
    evaluator = evaluator_of(tiny_gpt2, tokenizer)
    wide = Budget(max_perplexity_ratio=9, max_definitional_loss=1)
    result = search(tried, lambda _: evaluator, wide, stages=(Stage(0.5, 1),))
    families = len(tried) / 2  # both additions, and one of the ablations
    assert 0.5 * families + 1 <= result.passes <= 0.5 * families + 1 + CONFIRMED
    by_hand = evaluator.compare(tried, "")
    for candidate, expected in zip(result.candidates, by_hand, strict=True):
        if not candidate.interpolated:
            assert candidate.value("bias_reduction") == expected.value("bias_reduction")
    gains = {True: [0.0], False: [0.0]}
    for candidate in result.candidates:
        if candidate.share == 1 and wide.allows(candidate):
            gains[candidate.interpolated].append(candidate.value("bias_reduction") or 0.0)
    assert max(gains[True]) <= max(gains[False]), "what promised more was measured"
