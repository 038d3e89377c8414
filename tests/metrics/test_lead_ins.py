"""The lead-in that suits a model follows from definitional train prompts, by the rule."""

from typing import Any

import pytest
import torch

from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import Prompt
from evenkeel.metrics.lead_ins import LeadInChoice, LeadInFigures, judge_lead_ins
from evenkeel.models.loading import LoadedModel
from evenkeel.models.provenance import Provenance


@pytest.fixture
def loaded(tiny_gpt2: Any, tokenizer: Any) -> LoadedModel:
    provenance = Provenance(
        source="local", name="tiny", revision="1", fingerprint="f", tokenizer_hash="t",
        dtype="float32",
    )  # fmt: skip
    return LoadedModel(tiny_gpt2, tokenizer, provenance)


def margin_by_hand(model: Any, tokenizer: Any, text: str, prompt: Prompt) -> float:
    """Log-odds of the right group of two after a text, continuations of one token each or more."""
    totals = {}
    for group, words in prompt.continuations.items():
        total = torch.tensor(0.0, dtype=torch.float64)
        for word in words:
            context = tokenizer(text)["input_ids"]
            added = tokenizer(word)["input_ids"]
            with torch.no_grad():
                table = model(torch.tensor([context + added])).logits[0].double().log_softmax(-1)
            places = range(len(context) - 1, len(context) + len(added) - 1)
            total += sum(table[p, t] for p, t in zip(places, added, strict=True)).exp()
        totals[group] = float(total.log())
    right = totals.pop(str(prompt.expected))
    return right - max(totals.values())


@pytest.mark.parametrize("lead_ins", [True, False])
def test_both_kinds_equal_one_text_at_a_time(loaded: LoadedModel, lead_ins: bool) -> None:
    """Whatever lead-ins the data set has."""
    prompts = make_prompts(["gender"], {"gender": 1.0}, 0, lead_ins)
    own = [p for p in prompts if p.kind == "definitional" and p.split == "train"][:9]
    others = [p for p in prompts if p.split != "train" or p.kind != "definitional"]
    choice = judge_lead_ins(loaded, [*others, *own], 4)
    assert choice is not None
    assert choice.used == ("sentence" if lead_ins else "none")
    sentences = [p.lead_in for p in make_prompts(["gender"], {"gender": 1.0}, 0, True)
                 if p.id in {each.id for each in own}]  # fmt: skip
    for kind, before in (("none", [""] * len(own)), ("sentence", sentences)):
        margins = [
            margin_by_hand(loaded.model, loaded.tokenizer, lead_in + prompt.text, prompt)
            for lead_in, prompt in zip(before, own, strict=True)
        ]
        figures = choice.figures[kind]
        assert figures.definitional_margin == pytest.approx(sum(margins) / len(margins), abs=1e-4)
        right = [margin > 0 for margin in margins]
        assert figures.definitional_accuracy == pytest.approx(sum(right) / len(right))


@pytest.mark.parametrize(
    ("none", "sentence", "suited"),
    [
        ((0.8, 3.0), (0.9, 1.0), "sentence"),
        ((0.9, 1.0), (0.8, 3.0), "none"),
        ((0.9, 1.0), (0.9, 1.5), "sentence"),
        ((0.9, 1.5), (0.9, 1.5), "none"),
    ],
)
def test_competence_decides_then_the_margin_then_what_is_simpler(
    none: tuple[float, float], sentence: tuple[float, float], suited: str
) -> None:
    figures = {"none": LeadInFigures(*none), "sentence": LeadInFigures(*sentence)}
    choice = LeadInChoice(figures, "sentence")  # type: ignore[arg-type]
    assert choice.suited == choice.record()["suited"] == suited
    assert choice.gain == pytest.approx(max(none[0], sentence[0]) - sentence[0])


def test_without_definitional_train_prompts_nothing_is_judged(loaded: LoadedModel) -> None:
    prompts = make_prompts(["gender"], {"gender": 1.0}, 0, True)
    assert judge_lead_ins(loaded, [p for p in prompts if p.split == "test"], 4) is None
