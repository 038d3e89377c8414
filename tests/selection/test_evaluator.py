"""The evaluator, which reuses blocks upstream of an edit, agrees with whole forward passes."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.prompt import PromptCondition
from evenkeel.conditions.vector import make_vector_conditions
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.metrics.sampled import SampledMeasures, per_item
from evenkeel.models.architecture import architecture_of
from evenkeel.params import Action, GenerationParams
from evenkeel.scoring.divergence import text_divergences
from evenkeel.scoring.prefix_reuse import first_affected, recorded, resumed
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.selection.budget import Budget
from evenkeel.selection.evaluator import Evaluator
from evenkeel.selection.sampling import Sampling
from evenkeel.selection.tables import candidate_row
from evenkeel.steering.continuations import continue_texts
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from tests.evaluation.samples import TEXTS, make_prompts, make_vectors

ANY = CompetenceGate(margin=-1)
MULTIPLIERS: dict[Action, list[float]] = {"add": [-0.5, 0.5], "ablate": [1.0]}
HOW = GenerationParams(
    prompts=3, per_item=2, max_new_tokens=4, temperature=0.7, top_p=0.9, samples=2
)


def conditions() -> Sequence[Condition]:
    return make_vector_conditions(make_vectors(), "gender", ["caa"], "all", MULTIPLIERS)


@pytest.fixture
def evaluator(tiny_gpt2: Any, tokenizer: Any, prompt_set: PromptSet) -> Evaluator:
    return evaluate(tiny_gpt2, tokenizer, prompt_set)


def evaluate(
    model: Any, tokenizer: Any, prompt_set: PromptSet, gate: CompetenceGate = ANY
) -> Evaluator:
    of_test = [prompt for prompt in make_prompts() if prompt.split == "test"]
    return Evaluator(
        model,
        tokenizer,
        PromptSetMeasures(prompt_set, 100, 0),
        gate,
        batch_size=4,
        behind=lambda prefix: PromptSet.of(model, tokenizer, of_test, TEXTS, prefix=prefix),
        sampling=Sampling(tuple(of_test[:3]), HOW, 0, tuple(per_item(of_test, 2))),
    )


def test_agrees_with_whole_passes(
    tiny_gpt2: Any, prompt_set: PromptSet, evaluator: Evaluator
) -> None:
    baseline = prompt_set.read(tiny_gpt2, 4)
    candidates = evaluator.compare(conditions(), "")
    assert [each.condition.recipe.layer for each in candidates[::3]] == [0, 1, 2, "all"]
    for candidate in candidates:
        with steer(tiny_gpt2, candidate.condition.interventions):
            readings = prompt_set.read(tiny_gpt2, 4)
        measures = evaluator.measures
        expected = measures.of(readings) | measures.against(baseline, readings)
        values = {name: estimate.value for name, estimate in expected.items()}
        known = {name: value for name, value in values.items() if value is not None}
        assert {"bias_reduction", "perplexity_ratio"} <= known.keys()
        found = {name: candidate.value(name) for name in known}
        assert found == pytest.approx(known, rel=1e-5, abs=1e-6)
    assert len({each.value("bias_reduction") for each in candidates}) == len(candidates)


def test_the_unsteered_model_reads_the_prompt_set_once(
    tiny_gpt2: Any, evaluator: Evaluator
) -> None:
    """Its first block runs in unsteered passes, and in those whose edit is in that block."""
    first, ran = tiny_gpt2.transformer.h[0], []
    first.mlp.register_forward_hook(lambda *_: ran.append(1))
    later = [each for each in conditions() if each.recipe.layer in (1, 2)]
    evaluator.compare(later, "")
    once = len(ran)
    assert once > 1
    evaluator.compare(later, "")
    assert evaluator.readings is evaluator.readings
    assert len(ran) == once


def test_intervals_are_given_where_they_are_asked(evaluator: Evaluator) -> None:
    headline = {"bias_reduction", "perplexity_ratio", "definitional_accuracy"}
    (few,) = evaluator.compare(conditions()[:1], "")
    assert all(few.measures[name].low is not None for name in headline)
    assert few.measures["definitional_margin"].low is None
    (none,) = evaluator.compare(conditions()[:1], "", intervals="none")
    assert all(none.measures[name].low is None for name in headline)
    (every,) = evaluator.compare(conditions()[:1], "", intervals="all")
    assert every.measures["definitional_margin"].low is not None
    for one in (few, none, every):
        assert one.value("bias_reduction") == few.value("bias_reduction")


def test_kl_is_measured_where_it_is_asked(
    tiny_gpt2: Any, prompt_set: PromptSet, evaluator: Evaluator
) -> None:
    for candidate in evaluator.compare(conditions()[:2], "", with_kl=True):
        edits = [candidate.condition.interventions]
        moved = text_divergences(tiny_gpt2, edits, prompt_set, 4)
        expected = evaluator.measures.kl_neutral(moved[0]).value
        assert candidate.value("kl_neutral") == pytest.approx(expected, rel=1e-5)


def test_groups_that_continuations_name_are_counted_before_and_after(
    tiny_gpt2: Any, tokenizer: Any, evaluator: Evaluator
) -> None:
    assert evaluator.sampling is not None
    items = evaluator.sampling.items
    (candidate,) = evaluator.compare([conditions()[1]], "")
    found = evaluator.with_sampled_groups(candidate)
    how = {"max_new_tokens": 4, "temperature": 0.7, "top_p": 0.9, "batch_size": 4, "seed": 0}
    texts = [prompt.text for prompt in items]
    before = continue_texts(tiny_gpt2, tokenizer, texts, **how)
    with steer(tiny_gpt2, candidate.condition.interventions):
        after = continue_texts(tiny_gpt2, tokenizer, texts, **how)
    assert before != after
    for measures, continued in ((evaluator.baseline.measures, before), (found.measures, after)):
        for name, estimate in SampledMeasures(items, 100, 0).of(continued).items():
            assert measures[name] == estimate
    assert found.value("bias_reduction") == candidate.value("bias_reduction")


def test_a_prefix_is_a_condition_like_any_other(
    tiny_gpt2: Any, tokenizer: Any, evaluator: Evaluator
) -> None:
    of_test = [prompt for prompt in make_prompts() if prompt.split == "test"]
    behind = PromptSet.of(tiny_gpt2, tokenizer, of_test, TEXTS, prefix="Be fair. ")
    expected = behind.read(tiny_gpt2, 4)
    vector = conditions()[0]
    prompt, _ = evaluator.measure([PromptCondition("Be fair. "), vector], "")
    assert prompt.measurement.readings.stereotypical == pytest.approx(expected.stereotypical)
    assert prompt.condition.name == "prompt"
    assert (prompt.value("kl_neutral") or 0) > 0
    assert len(prompt.measurement.continuations) == 3 * 2


def test_the_bias_of_a_model_too_weak_is_withheld(
    tiny_gpt2: Any, tokenizer: Any, prompt_set: PromptSet
) -> None:
    strict = CompetenceGate(margin=0.5)
    evaluator = evaluate(tiny_gpt2, tokenizer, prompt_set, strict)
    for candidate in evaluator.compare(conditions(), ""):
        assert candidate.value("bias_reduction") is None
        assert candidate.value("perplexity_ratio") is not None
        assert str(candidate.measurement.too_weak).startswith("too weak to tell")
        assert candidate_row(candidate, Budget(1.0, 0.0))["competent"] == 0
    (known,) = evaluator.with_gate(ANY).compare(conditions()[:1], "")
    assert known.value("bias_reduction") is not None


def test_the_model_is_as_before(
    tiny_gpt2: Any, prompt_set: PromptSet, evaluator: Evaluator
) -> None:
    before = prompt_set.read(tiny_gpt2, 4).stereotypical
    evaluator.compare(conditions(), "")
    assert (prompt_set.read(tiny_gpt2, 4).stereotypical == before).all()
    assert not any(module._forward_hooks for module in tiny_gpt2.modules())
    assert not any("forward" in vars(module) for module in tiny_gpt2.modules())


@pytest.mark.parametrize("site", ["resid_pre", "resid_post", "attn_out", "mlp_out", "head_z"])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_resuming_below_an_edit_changes_nothing(tiny_gpt2: Any, site: Any, layer: int) -> None:
    ids = torch.arange(12).reshape(2, 6)
    edit = Add(layer=layer, site=site, direction=torch.arange(32.0), scale=0.3)
    with torch.no_grad():
        with recorded(tiny_gpt2) as outputs:
            plain = tiny_gpt2(ids, use_cache=False).logits
        with steer(tiny_gpt2, [edit]):
            whole = tiny_gpt2(ids, use_cache=False).logits
            with resumed(tiny_gpt2, outputs, first_affected([edit])):
                found = tiny_gpt2(ids, use_cache=False).logits
    assert torch.equal(found, whole)
    assert not torch.allclose(found, plain)


def test_blocks_below_an_edit_do_not_run(tiny_gpt2: Any) -> None:
    ids = torch.arange(6).reshape(1, 6)
    run = []
    for number, block in enumerate(tiny_gpt2.transformer.h):
        block.mlp.register_forward_hook(lambda *_, number=number: run.append(number))
    with torch.no_grad(), recorded(tiny_gpt2) as outputs:
        tiny_gpt2(ids, use_cache=False)
    run.clear()
    with torch.no_grad(), resumed(tiny_gpt2, outputs, 2):
        tiny_gpt2(ids, use_cache=False)
    assert run == [2]


def test_a_failure_leaves_no_trace(tiny_gpt2: Any) -> None:
    first, second, _ = architecture_of(tiny_gpt2).blocks(tiny_gpt2)
    first.forward = wrapped = lambda *_args, **_kwargs: None  # as tools that place layers do
    with pytest.raises(RuntimeError, match="stop"), resumed(tiny_gpt2, [None] * 3, 2):
        raise RuntimeError("stop")
    assert first.forward is wrapped
    assert "forward" not in vars(second)
