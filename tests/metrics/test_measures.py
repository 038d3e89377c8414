"""The measures of a prompt_set agree with direct computations, and zero changes change nothing."""

import math
import statistics
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.metrics.measures import PromptSetMeasures, as_json
from evenkeel.scoring.divergence import changed_divergences, text_divergences
from evenkeel.scoring.group_reads import encode_text
from evenkeel.scoring.prompt_set import PromptSet, Readings
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from tests.evaluation.samples import TEXTS, make_four_groups

PUSH = Add(layer=1, site="resid_post", direction=torch.arange(32.0), scale=0.3)


def two(odds: Any) -> np.ndarray:
    """Log-probabilities of female and male, whose log-odds are given."""
    odds = np.asarray(odds, dtype=float)
    return np.stack([odds / 2, -odds / 2], axis=-1) - 3


def margins(*values: float) -> np.ndarray:
    """Of the definitional prompts, of which every other one is female."""
    return two(np.array(values) * [1, -1, 1, -1])


def readings(prompt_set: PromptSet, **changed: Any) -> Readings:
    given = {
        "stereotypical": two(np.arange(8.0)),
        "definitional": margins(1, -1, 2, 4),
        "losses": prompt_set.scored_tokens * math.log(7),
    }
    return Readings(**(given | changed))


def test_metrics_of_known_readings(prompt_set: PromptSet) -> None:
    measures = PromptSetMeasures(prompt_set, 100, 0).of(readings(prompt_set))
    values = {name: estimate.value for name, estimate in measures.items()}
    by_item = [2.0, 3.0, 4.0, 5.0]  # prompts 0 to 3 of one template, 4 to 7 of the other
    logits = [math.log(rate / (1 - rate)) for rate in (0.87, 0.17, 0.5, 0.62)]
    assert values == pytest.approx(
        {
            "item_spread": statistics.stdev(by_item),
            "mean_log_odds": 3.5,
            "reference_slope": statistics.linear_regression(logits, by_item).slope,
            "reference_correlation": statistics.correlation(logits, by_item),
            "stereotype_gap": None,  # nothing is held against anybody here
            "split_half": 1.0,
            "definitional_accuracy": 0.75,
            "definitional_auroc": 0.75,
            "definitional_margin": 1.5,
            "perplexity": 7.0,
        }
    )


def test_metrics_against_the_baseline(prompt_set: PromptSet) -> None:
    before = readings(prompt_set, definitional=margins(1, 2, 2, 4))
    after = readings(
        prompt_set,
        stereotypical=two(np.arange(8.0) / 4 + 1),
        definitional=margins(0.5, 1, 1, 2),
        losses=before.losses + prompt_set.scored_tokens * math.log(1.5),
    )
    change = PromptSetMeasures(prompt_set, 100, 0).against(before, after)
    assert change["bias_reduction"].value == pytest.approx(0.75)
    assert change["mean_log_odds_change"].value == pytest.approx(3.5 / 4 + 1 - 3.5)
    assert change["definitional_margin_ratio"].value == pytest.approx(0.5)
    assert change["definitional_accuracy_change"].value == 0
    assert change["perplexity_ratio"].value == pytest.approx(1.5)
    assert change["moved_away_share"].value == pytest.approx(2 / 8), "0 to 1 and 1 to 1.25"


def test_four_groups_are_scored_in_both_directions(tiny_gpt2: Any, tokenizer: Any) -> None:
    of_test = [prompt for prompt in make_four_groups() if prompt.split == "test"]
    directions = ("group_given_item", "item_given_group")
    prompt_set = PromptSet.of(tiny_gpt2, tokenizer, of_test, (), directions)
    found = prompt_set.read(tiny_gpt2, 4)
    assert found.stereotypical.shape == (16, 4)
    items = np.arange(16) // 4  # a table in which every item goes to the group that it is held
    table = np.zeros((16, 4))  # against, by 2 nats in one direction and 3 in the other
    order = [prompt.held_against for prompt in prompt_set.stereotypical]
    given = [prompt.direction == "item_given_group" for prompt in prompt_set.stereotypical]
    for row, (group, other) in enumerate(zip(order, given, strict=True)):
        table[row, prompt_set.groups.index(str(group))] = 3.0 if other else 2.0
    right = np.eye(4)[prompt_set.expected]
    measures = PromptSetMeasures(prompt_set, 100, 0).of(Readings(table, right, np.zeros(0)))
    assert measures["stereotype_gap"].value == pytest.approx(2 * 2.0)
    assert measures["stereotype_gap_item_given_group"].value == pytest.approx(2 * 3.0)
    assert measures["mean_log_odds"].value == pytest.approx(0, abs=1e-9)
    assert measures["direction_agreement"].value == pytest.approx(1)
    assert measures["definitional_accuracy"].value == 1
    assert "perplexity" not in measures
    assert len(set(items)) == 4


def test_lost_definitions_are_counted(prompt_set: PromptSet) -> None:
    before = readings(prompt_set, definitional=margins(1, 2, -1, 4))
    after = readings(prompt_set, definitional=margins(1, -1, -2, -4))
    found = PromptSetMeasures(prompt_set, 100, 0).against(before, after)
    assert found["definitional_accuracy_change"].value == -0.5


def test_a_share_of_a_margin_that_may_be_zero_is_unknown(prompt_set: PromptSet) -> None:
    before = readings(prompt_set, definitional=margins(4, -1, 3, -2))
    found = PromptSetMeasures(prompt_set, 100, 0).against(before, readings(prompt_set))
    assert found["definitional_margin_ratio"].value is None


def test_a_model_without_bias_reads_unknown(prompt_set: PromptSet) -> None:
    flat = readings(prompt_set, stereotypical=two(np.zeros(8)))
    flat_measures = PromptSetMeasures(prompt_set, 100, 0).against(flat, readings(prompt_set))
    assert as_json(flat_measures)["bias_reduction"] is None
    assert as_json(flat_measures)["bias_reduction_ci95"] is None


def test_items_without_a_known_rate_are_left_out_of_the_metrics_of_reference(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]
) -> None:
    of_test = [p for p in prompts if p.split == "test" and p.kind != "neutral"]
    unknown = {"pilot": None, "teacher": {"female": 1.0, "male": 0.0}}
    partly = [p.model_copy(update={"reference": unknown.get(p.item, p.reference)}) for p in of_test]
    prompt_set = PromptSet.of(tiny_gpt2, tokenizer, partly, ["It rained."])
    measures = PromptSetMeasures(prompt_set, 100, 0)
    assert measures.sample["items_with_reference"] == 2
    assert measures.of(readings(prompt_set))["reference_slope"].value is not None
    none = [prompt.model_copy(update={"reference": None}) for prompt in of_test]
    bare = PromptSetMeasures(PromptSet.of(tiny_gpt2, tokenizer, none, ["It rained."]), 100, 0)
    assert bare.of(readings(bare.prompt_set))["reference_slope"].value is None
    assert bare.of(readings(bare.prompt_set))["item_spread"].value is not None


def test_a_change_of_nothing_changes_nothing(tiny_gpt2: Any, prompt_set: PromptSet) -> None:
    measures = PromptSetMeasures(prompt_set, 100, 0)
    before = prompt_set.read(tiny_gpt2, 4)
    with steer(tiny_gpt2, [Add(layer=1, site="resid_post", direction=PUSH.direction, scale=0)]):
        after = prompt_set.read(tiny_gpt2, 4)
    found = {name: e.value for name, e in measures.against(before, after).items()}
    assert found["bias_reduction"] == 0
    assert found["perplexity_ratio"] == 1
    with steer(tiny_gpt2, [PUSH]):
        pushed = measures.against(before, prompt_set.read(tiny_gpt2, 4))
    assert abs(pushed["bias_reduction"].value or 0) > 1e-3
    assert pushed["perplexity_ratio"].value != 1


def test_losses_agree_with_transformers(tiny_gpt2: Any, prompt_set: PromptSet) -> None:
    expected = []
    for text in prompt_set.texts:
        ids = torch.tensor([text])
        with torch.no_grad():
            expected.append(float(tiny_gpt2(ids, labels=ids).loss) * (len(text) - 1))
    for batch_size in (1, 4, 100):
        assert prompt_set.read(tiny_gpt2, batch_size).losses == pytest.approx(expected, rel=1e-5)


def test_kl_agrees_with_one_text_at_a_time(tiny_gpt2: Any, prompt_set: PromptSet) -> None:
    expected = []
    for text in prompt_set.texts:
        ids = torch.tensor([text[:-1]])
        with torch.no_grad():
            base = tiny_gpt2(ids).logits[0].double().log_softmax(1)
            with steer(tiny_gpt2, [PUSH]):
                steered = tiny_gpt2(ids).logits[0].double().log_softmax(1)
        expected.append(float(torch.nn.functional.kl_div(steered, base, log_target=True,
                                                         reduction="sum")))  # fmt: skip
    other = replace(PUSH, scale=0.1)
    found, less = text_divergences(tiny_gpt2, [[PUSH], [other]], prompt_set, batch_size=4)
    assert (less < found).all()
    assert found == pytest.approx(expected, rel=1e-4)
    assert min(expected) > 0
    kl = PromptSetMeasures(prompt_set, 100, 0).kl_neutral(found)
    assert kl.value == pytest.approx(sum(expected) / prompt_set.scored_tokens.sum(), rel=1e-4)


@pytest.mark.parametrize("prefix", ["Be fair to the nurse. ", "q"])
def test_kl_behind_a_prefix_agrees_with_one_text_at_a_time(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt], prefix: str
) -> None:
    """At the places that predict the text's own tokens, and at no others."""
    of_test = [prompt for prompt in prompts if prompt.split == "test"]
    alone = PromptSet.of(tiny_gpt2, tokenizer, of_test, TEXTS)
    behind = PromptSet.of(tiny_gpt2, tokenizer, of_test, TEXTS, prefix=prefix)
    expected = []
    for text, row in zip(alone.texts, behind.texts, strict=True):
        with torch.no_grad():
            base = tiny_gpt2(torch.tensor([text[:-1]])).logits[0].double().log_softmax(1)
            read = tiny_gpt2(torch.tensor([row[:-1]])).logits[0].double().log_softmax(1)
        last = read[len(read) - len(base) :]
        expected.append(float((base.exp() * (base - last)).sum()))
    found, nothing = (
        changed_divergences(tiny_gpt2, lambda: nullcontext(tiny_gpt2), alone, each, batch_size=4)
        for each in (behind, alone)
    )
    assert found == pytest.approx(expected, rel=1e-4)
    assert min(expected) > 1e-3
    assert nothing == pytest.approx(0, abs=1e-9)


def test_long_texts_are_cut_at_the_context(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]
) -> None:
    long = "It rained and rained. " * 40
    assert len(encode_text(tokenizer, long)) > 64
    prompt_set = PromptSet.of(tiny_gpt2, tokenizer, prompts[:4], [long])
    assert prompt_set.scored_tokens.tolist() == [63]


@pytest.mark.parametrize("prefix", ["Be fair to the nurse. ", "It rained.\n", "q"])
def test_a_prefix_is_read_and_the_same_things_are_asked(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt], prefix: str
) -> None:
    of_test = [prompt for prompt in prompts if prompt.split == "test"]
    plain = PromptSet.of(tiny_gpt2, tokenizer, of_test, TEXTS)
    prefixed = PromptSet.of(tiny_gpt2, tokenizer, of_test, TEXTS, prefix=prefix)
    assert (prefixed.scored_tokens == plain.scored_tokens).all()
    for text, row, unscored in zip(plain.texts, prefixed.texts, prefixed.unscored, strict=True):
        assert row[unscored:] == text[1:]
        assert tokenizer.decode(row).split() == (prefix + tokenizer.decode(text)).split()
    found = prefixed.read(tiny_gpt2, 4)
    asked = [prompt.model_copy(update={"text": prefix + prompt.text}) for prompt in of_test]
    expected = PromptSet.of(tiny_gpt2, tokenizer, asked, TEXTS).read(tiny_gpt2, 4)
    np.testing.assert_allclose(found.stereotypical, expected.stereotypical, rtol=1e-4)
    np.testing.assert_allclose(found.definitional, expected.definitional, rtol=1e-4)
    assert not np.allclose(found.losses, expected.losses, rtol=1e-3)
    for row, unscored, loss in zip(prefixed.texts, prefixed.unscored, found.losses, strict=True):
        labels = torch.tensor([row])
        labels[0, :unscored] = -100
        with torch.no_grad():
            mean = tiny_gpt2(torch.tensor([row]), labels=labels).loss
        assert loss == pytest.approx(float(mean) * (len(row) - unscored), rel=1e-4)


def test_a_prefix_that_leaves_no_room_is_refused(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]
) -> None:
    with pytest.raises(BadInputError, match="does not fit the model's context of 64"):
        PromptSet.of(tiny_gpt2, tokenizer, prompts, TEXTS, prefix="It rained. " * 20)


def test_bad_prompt_sets_are_refused(tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]) -> None:
    with pytest.raises(BadInputError, match="no stereotypical prompts"):
        PromptSet.of(tiny_gpt2, tokenizer, [], ["It rained."])
    with pytest.raises(BadInputError, match="no held-out text of two tokens"):
        PromptSet.of(tiny_gpt2, tokenizer, prompts, ["a", ""])
    other = make_four_groups()[1]
    with pytest.raises(BadInputError, match=f"{other.id}: its groups are"):
        PromptSet.of(tiny_gpt2, tokenizer, [*prompts, other], ["It rained."])
