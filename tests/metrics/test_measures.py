"""The measures of a panel agree with direct computations, and zero changes change nothing."""

import math
import statistics
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.metrics.measures import PanelMeasures, as_json
from evenkeel.scoring.divergence import prefix_divergences, text_divergences
from evenkeel.scoring.group_reads import encode_text
from evenkeel.scoring.prompt_set import Panel, Readings
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from tests.evaluation.samples import TEXTS

PUSH = Add(layer=1, site="resid_post", direction=torch.arange(32.0), scale=0.3)


def readings(panel: Panel, **changed: Any) -> Readings:
    given = {
        "stereotypical": np.arange(8.0),
        "margins": np.array([1.0, -1.0, 2.0, 4.0]),
        "losses": panel.scored_tokens * math.log(7),
    }
    return Readings(**(given | changed))


def test_measures_of_known_readings(panel: Panel) -> None:
    values = {name: e.value for name, e in PanelMeasures(panel, 100, 0).of(readings(panel)).items()}
    by_occupation = [2.0, 3.0, 4.0, 5.0]  # prompts 0 to 3 of one template, 4 to 7 of the other
    shares = [0.87, 0.17, 0.5, 0.62]
    planted = [math.log(share / (1 - share)) for share in shares]
    assert values == pytest.approx(
        {
            "occupation_spread": statistics.stdev(by_occupation),
            "parity_offset": 3.5,
            "planted_slope": statistics.linear_regression(planted, by_occupation).slope,
            "planted_correlation": statistics.correlation(planted, by_occupation),
            "definitional_accuracy": 0.75,
            "definitional_margin": 1.5,
            "perplexity": 7.0,
        }
    )


def test_measures_against_the_baseline(panel: Panel) -> None:
    before = readings(panel, margins=np.array([1.0, 2.0, 2.0, 4.0]))
    after = readings(
        panel,
        stereotypical=before.stereotypical / 4 + 1,
        margins=before.margins / 2,
        losses=before.losses + panel.scored_tokens * math.log(1.5),
    )
    found = PanelMeasures(panel, 100, 0).against(before, after)
    assert found["bias_reduction"].value == pytest.approx(0.75)
    assert found["definitional_margin_ratio"].value == pytest.approx(0.5)
    assert found["definitional_accuracy_change"].value == 0
    assert found["perplexity_ratio"].value == pytest.approx(1.5)


def test_lost_definitions_are_counted(panel: Panel) -> None:
    before = readings(panel, margins=np.array([1.0, 2.0, -1.0, 4.0]))
    after = readings(panel, margins=np.array([1.0, -1.0, -2.0, -4.0]))
    found = PanelMeasures(panel, 100, 0).against(before, after)
    assert found["definitional_accuracy_change"].value == -0.5


def test_a_share_of_a_margin_that_may_be_zero_is_unknown(panel: Panel) -> None:
    before = readings(panel, margins=np.array([4.0, -1.0, 3.0, -2.0]))
    found = PanelMeasures(panel, 100, 0).against(before, readings(panel))
    assert found["definitional_margin_ratio"].value is None


def test_a_model_without_bias_reads_unknown(panel: Panel) -> None:
    flat = readings(panel, stereotypical=np.zeros(8))
    flat_measures = PanelMeasures(panel, 100, 0).against(flat, readings(panel))
    assert as_json(flat_measures)["bias_reduction"] is None
    assert as_json(flat_measures)["bias_reduction_ci95"] is None


def test_occupations_without_a_share_are_left_out_of_the_planted_measures(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]
) -> None:
    own = [prompt for prompt in prompts if prompt.split == "test" and prompt.kind != "neutral"]
    unknown = {"pilot": None, "teacher": 1.0}
    own = [p.model_copy(update={"share_female": unknown.get(p.term, p.share_female)}) for p in own]
    panel = Panel.of(tiny_gpt2, tokenizer, own, ["It rained."])
    measures = PanelMeasures(panel, 100, 0)
    assert measures.sample["occupations_with_share"] == 2
    given = measures.of(readings(panel))
    assert given["planted_slope"].value is not None
    none = [prompt.model_copy(update={"share_female": None}) for prompt in own]
    bare = PanelMeasures(Panel.of(tiny_gpt2, tokenizer, none, ["It rained."]), 100, 0)
    assert bare.of(readings(bare.panel))["planted_slope"].value is None
    assert bare.of(readings(bare.panel))["occupation_spread"].value is not None


def test_a_change_of_nothing_changes_nothing(tiny_gpt2: Any, panel: Panel) -> None:
    measures = PanelMeasures(panel, 100, 0)
    before = panel.read(tiny_gpt2, 4)
    with steer(tiny_gpt2, [Add(layer=1, site="resid_post", direction=PUSH.direction, scale=0)]):
        after = panel.read(tiny_gpt2, 4)
    found = {name: e.value for name, e in measures.against(before, after).items()}
    assert found["bias_reduction"] == 0
    assert found["perplexity_ratio"] == 1
    with steer(tiny_gpt2, [PUSH]):
        pushed = measures.against(before, panel.read(tiny_gpt2, 4))
    assert abs(pushed["bias_reduction"].value or 0) > 1e-3
    assert pushed["perplexity_ratio"].value != 1


def test_losses_agree_with_transformers(tiny_gpt2: Any, panel: Panel) -> None:
    expected = []
    for text in panel.texts:
        ids = torch.tensor([text])
        with torch.no_grad():
            expected.append(float(tiny_gpt2(ids, labels=ids).loss) * (len(text) - 1))
    for batch_size in (1, 4, 100):
        assert panel.read(tiny_gpt2, batch_size).losses == pytest.approx(expected, rel=1e-5)


def test_kl_agrees_with_one_text_at_a_time(tiny_gpt2: Any, panel: Panel) -> None:
    expected = []
    for text in panel.texts:
        ids = torch.tensor([text[:-1]])
        with torch.no_grad():
            base = tiny_gpt2(ids).logits[0].double().log_softmax(1)
            with steer(tiny_gpt2, [PUSH]):
                steered = tiny_gpt2(ids).logits[0].double().log_softmax(1)
        expected.append(float(torch.nn.functional.kl_div(steered, base, log_target=True,
                                                         reduction="sum")))  # fmt: skip
    other = replace(PUSH, scale=0.1)
    found, less = text_divergences(tiny_gpt2, [[PUSH], [other]], panel.texts, batch_size=4)
    assert (less < found).all()
    assert found == pytest.approx(expected, rel=1e-4)
    assert min(expected) > 0
    kl = PanelMeasures(panel, 100, 0).kl_neutral(found)
    assert kl.value == pytest.approx(sum(expected) / panel.scored_tokens.sum(), rel=1e-4)


@pytest.mark.parametrize("prefix", ["Be fair to the nurse. ", "q"])
def test_kl_behind_a_prefix_agrees_with_one_text_at_a_time(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt], prefix: str
) -> None:
    """At the places that predict the text's own tokens, and at no others."""
    own = [prompt for prompt in prompts if prompt.split == "test"]
    alone = Panel.of(tiny_gpt2, tokenizer, own, TEXTS)
    behind = Panel.of(tiny_gpt2, tokenizer, own, TEXTS, prefix)
    expected = []
    for text, row in zip(alone.texts, behind.texts, strict=True):
        with torch.no_grad():
            base = tiny_gpt2(torch.tensor([text[:-1]])).logits[0].double().log_softmax(1)
            read = tiny_gpt2(torch.tensor([row[:-1]])).logits[0].double().log_softmax(1)
        last = read[len(read) - len(base) :]
        expected.append(float((base.exp() * (base - last)).sum()))
    nothing, found = prefix_divergences(tiny_gpt2, alone, [alone, behind], batch_size=4)
    assert found == pytest.approx(expected, rel=1e-4)
    assert min(expected) > 1e-3
    assert nothing == pytest.approx(0, abs=1e-9)


def test_margins_point_to_the_right_side(tiny_gpt2: Any, panel: Panel) -> None:
    """Exchanging what is right changes every margin's sign."""
    flip = {"female": "male", "male": "female"}
    flipped = [p.model_copy(update={"expected": flip[p.expected or ""]}) for p in
               panel.definitional]  # fmt: skip
    other = replace(panel, definitional=tuple(flipped))
    one, two = panel.read(tiny_gpt2, 4), other.read(tiny_gpt2, 4)
    np.testing.assert_allclose(one.margins, -two.margins)
    assert np.abs(one.margins).min() > 0


def test_long_texts_are_cut_at_the_context(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]
) -> None:
    long = "It rained and rained. " * 40
    assert len(encode_text(tokenizer, long)) > 64
    panel = Panel.of(tiny_gpt2, tokenizer, prompts[:4], [long])
    assert panel.scored_tokens.tolist() == [63]


@pytest.mark.parametrize("prefix", ["Be fair to the nurse. ", "It rained.\n", "q"])
def test_a_prefix_is_read_and_the_same_things_are_asked(
    tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt], prefix: str
) -> None:
    own = [prompt for prompt in prompts if prompt.split == "test"]
    plain = Panel.of(tiny_gpt2, tokenizer, own, TEXTS)
    prefixed = Panel.of(tiny_gpt2, tokenizer, own, TEXTS, prefix)
    assert (prefixed.scored_tokens == plain.scored_tokens).all()
    for text, row, unscored in zip(plain.texts, prefixed.texts, prefixed.unscored, strict=True):
        assert row[unscored:] == text[1:]
        assert tokenizer.decode(row).split() == (prefix + tokenizer.decode(text)).split()
    found = prefixed.read(tiny_gpt2, 4)
    asked = [prompt.model_copy(update={"text": prefix + prompt.text}) for prompt in own]
    expected = Panel.of(tiny_gpt2, tokenizer, asked, TEXTS).read(tiny_gpt2, 4)
    np.testing.assert_allclose(found.stereotypical, expected.stereotypical, rtol=1e-4)
    np.testing.assert_allclose(found.margins, expected.margins, rtol=1e-4)
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
        Panel.of(tiny_gpt2, tokenizer, prompts, TEXTS, "It rained. " * 20)


def test_bad_panels_are_refused(tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]) -> None:
    with pytest.raises(BadInputError, match="no stereotypical prompts"):
        Panel.of(tiny_gpt2, tokenizer, [], ["It rained."])
    with pytest.raises(BadInputError, match="no held-out text of two tokens"):
        Panel.of(tiny_gpt2, tokenizer, prompts, ["a", ""])
    noun = next(prompt for prompt in prompts if prompt.kind == "definitional")
    wrong = noun.model_copy(update={"expected": None})
    with pytest.raises(BadInputError, match=f"{noun.id}: definitional, but expected is null"):
        Panel.of(tiny_gpt2, tokenizer, [*prompts, wrong], ["It rained."])
