"""How the interventions of several axes are put together."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from evenkeel.activations.capture import capture_texts
from evenkeel.datasets.records import Prompt
from evenkeel.evaluation.composing import Selected, compose, orthogonalised, told_apart
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.selection.item_gates import ItemGates
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.loreft import Loreft
from evenkeel.steering.spec import InterventionSpec
from tests.evaluation.samples import ITEMS, TEXTS, make_four_groups, make_prompts

# A random model does not tell what is known; its gates would stay shut.
OPEN_AT_KNOWN = 1.0
POINT = HookPoint("resid_post", 1)


@pytest.fixture
def loaded(tiny_gpt2: Any, tokenizer: Any) -> LoadedModel:
    return LoadedModel(tiny_gpt2, tokenizer, provenance=None)  # type: ignore[arg-type]


def other_axis() -> list[Prompt]:
    """Prompts of religion about items that the gender axis does not ask about."""
    names = {item: f"{item[::-1]} keeper" for items in ITEMS.values() for item in items}
    return [
        prompt.model_copy(
            update={
                "item": names[prompt.item],
                "text": prompt.text.replace(prompt.item, names[prompt.item]),
            }
        )
        for prompt in make_four_groups()
        if prompt.item in names and prompt.direction == "group_given_item"
    ]


def learned(loaded: LoadedModel, prompts: list[Prompt]) -> Loreft:
    gate = ItemGates(loaded, prompts, TEXTS, [POINT], OPEN_AT_KNOWN).at(POINT)
    rows = torch.linalg.qr(torch.randn(32, 2)).Q.mT
    return Loreft(
        rows, torch.randn(2, 32), torch.zeros(2), site="resid_post", layer=1, gates=(gate,)
    )


def ablation(*rows: list[float]) -> Ablate:
    directions = torch.tensor(rows)
    return Ablate(directions / directions.norm(dim=1, keepdim=True), site="resid_post", layer=1)


def selected(prompts: list[Prompt], *items: Intervention) -> Selected:
    return Selected(InterventionSpec(items), (), prompts)


def open_share(loaded: LoadedModel, item: Intervention, prompts: list[Prompt]) -> float:
    (gate,) = item.gates
    texts = [p.text for p in prompts if (p.split, p.kind) == ("train", "stereotypical")]
    found = capture_texts(loaded, texts, ["resid_post"], [1], positions="all")[POINT]
    return float(gate(torch.from_numpy(found)[None]).float().mean())


def test_a_learned_edit_learns_where_another_axis_is_asked_about(loaded: LoadedModel) -> None:
    own, others = make_prompts(), other_axis()
    edit, other = learned(loaded, own), ablation([1.0] * 32)
    chosen = {"gender": selected(own, edit), "religion": selected(others, other)}
    apart = told_apart(loaded, chosen, TEXTS, OPEN_AT_KNOWN)
    assert apart["religion"] == [other]  # it has no gate
    (fitted,) = apart["gender"]
    assert isinstance(fitted, Loreft)
    assert torch.equal(fitted.rotation, edit.rotation)
    assert torch.equal(fitted.source, edit.source)
    before, after = (open_share(loaded, each, others) for each in (edit, fitted))
    assert after < before
    assert open_share(loaded, fitted, own) > after

    ways = compose(loaded, chosen, TEXTS, OPEN_AT_KNOWN)
    in_order, backwards = (
        ways[f"gates told apart, in {order}"]
        for order in ("the order of the axes", "reverse order")
    )
    assert [axis for axis, _ in in_order] == ["gender", "religion"]
    assert [axis for axis, _ in backwards] == ["religion", "gender"]


def test_it_also_learns_what_the_edits_of_other_axes_make_of_their_prompts(
    loaded: LoadedModel,
) -> None:
    own, others = make_prompts(), other_axis()
    edit = learned(loaded, own)
    towards = 30 * edit.gates[0].weight / edit.gates[0].weight.norm()  # type: ignore[attr-defined]
    other = Add(towards, site="resid_post", layer=0)
    texts = [p.lead_in + p.text for p in others if p.split == "train"]
    fitted_alone = replace(
        edit, gates=(ItemGates(loaded, own, [*TEXTS, *texts], [POINT], OPEN_AT_KNOWN).at(POINT),)
    )
    chosen = {"gender": selected(own, edit), "religion": selected(others, other)}
    (fitted,) = told_apart(loaded, chosen, TEXTS, OPEN_AT_KNOWN)["gender"]

    with steer(loaded.model, [other]):
        alone, together = (open_share(loaded, each, others) for each in (fitted_alone, fitted))
    assert together < alone


def test_what_has_no_gate_to_fit_is_composed_in_three_ways(loaded: LoadedModel) -> None:
    one, two = ablation([1.0] * 32), ablation([1.0, -1.0] * 16)
    chosen = {
        "gender": selected(make_prompts(), one),
        "religion": selected(other_axis(), two),
    }
    ways = compose(loaded, chosen, TEXTS, OPEN_AT_KNOWN)
    assert list(ways) == [
        "in the order of the axes", "in reverse order", "directions orthogonalised"
    ]  # fmt: skip
    assert ways["in the order of the axes"] == [("gender", one), ("religion", two)]
    assert ways["in reverse order"] == [("religion", two), ("gender", one)]


def test_orthogonalised_directions_span_the_same_and_act_once() -> None:
    first, second = ablation([1.0, 0.0, 0.0]), ablation([1.0, 1.0, 0.0])
    kept, left, gone = orthogonalised([first, second, ablation([0.0, 1.0, 0.0])])
    assert kept is not None
    assert torch.equal(kept.directions, first.directions)  # type: ignore[attr-defined]
    assert left is not None
    assert torch.equal(left.directions.sign(), torch.tensor([[0.0, 1.0, 0.0]]))  # type: ignore[attr-defined]
    assert gone is None
