"""The sweep, which reuses the blocks below an edit, agrees with whole forward passes."""

from typing import Any

import pytest
import torch

from evenkeel.conditions.candidates import Candidate, make_candidates
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.metrics.measures import PanelMeasures
from evenkeel.params import Action
from evenkeel.scoring.divergence import text_divergences
from evenkeel.scoring.prefix_reuse import first_affected, recorded, resumed
from evenkeel.scoring.prompt_set import Panel
from evenkeel.selection.sweep import sweep
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from tests.evaluation.samples import make_vectors

ANY = CompetenceGate(chance=0.5, margin=-1)
FORCES: dict[Action, list[float]] = {"add": [-0.5, 0.5], "ablate": [1.0]}


def candidates() -> list[Candidate]:
    return make_candidates(make_vectors(), "gender", ["caa"], "all", FORCES)


def test_agrees_with_whole_passes(tiny_gpt2: Any, panel: Panel) -> None:
    measures = PanelMeasures(panel, 100, 0)
    baseline = panel.read(tiny_gpt2, 4)
    cells = sweep(tiny_gpt2, candidates(), measures, ANY, 4)
    assert [cell.candidate.layer for cell in cells[::3]] == [0, 1, 2, "all"]
    for cell in cells:
        with steer(tiny_gpt2, cell.candidate.interventions):
            readings = panel.read(tiny_gpt2, 4)
        expected = measures.of(readings) | measures.against(baseline, readings)
        values = {name: estimate.value for name, estimate in expected.items()}
        known = {name: value for name, value in values.items() if value is not None}
        assert {"bias_reduction", "perplexity_ratio"} <= known.keys()
        found = {name: cell.value(name) for name in known}
        assert found == pytest.approx(known, rel=1e-5, abs=1e-6)
    assert len({cell.value("bias_reduction") for cell in cells}) == len(cells)


def test_what_candidates_are_chosen_by_has_intervals(tiny_gpt2: Any, panel: Panel) -> None:
    measures = PanelMeasures(panel, 100, 0)
    (cell,) = sweep(tiny_gpt2, candidates()[:1], measures, ANY, 4)
    with steer(tiny_gpt2, cell.candidate.interventions):
        readings = panel.read(tiny_gpt2, 4)
    expected = measures.headline(panel.read(tiny_gpt2, 4), readings)
    for name in ("bias_reduction", "perplexity_ratio"):
        found, own = cell.measures[name], expected[name]
        assert own.low is not None
        assert [found.low, found.high] == pytest.approx([own.low, own.high], rel=1e-4)


def test_kl_is_measured_where_it_is_asked(tiny_gpt2: Any, panel: Panel) -> None:
    measures = PanelMeasures(panel, 100, 0)
    cells = sweep(tiny_gpt2, candidates()[:2], measures, ANY, 4, with_kl=True)
    for cell in cells:
        moved = text_divergences(tiny_gpt2, [cell.candidate.interventions], panel.texts, 4)
        expected = measures.kl_neutral(moved[0]).value
        assert cell.value("kl_neutral") == pytest.approx(expected, rel=1e-5)


def test_the_bias_of_a_model_too_weak_is_withheld(tiny_gpt2: Any, panel: Panel) -> None:
    strict = CompetenceGate(chance=0.5, margin=0.5)
    for cell in sweep(tiny_gpt2, candidates(), PanelMeasures(panel, 100, 0), strict, 4):
        assert cell.value("bias_reduction") is None
        assert cell.value("perplexity_ratio") is not None
        assert str(cell.too_weak).startswith("too weak to tell")
        assert cell.row()["competent"] == 0


def test_the_model_is_as_before(tiny_gpt2: Any, panel: Panel) -> None:
    before = panel.read(tiny_gpt2, 4).stereotypical
    sweep(tiny_gpt2, candidates(), PanelMeasures(panel, 100, 0), ANY, 4)
    assert (panel.read(tiny_gpt2, 4).stereotypical == before).all()
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
    first, second, _ = tiny_gpt2.transformer.h
    first.forward = wrapped = lambda *_args, **_kwargs: None  # as tools that place layers do
    with pytest.raises(RuntimeError, match="stop"), resumed(tiny_gpt2, [None] * 3, 2):
        raise RuntimeError("stop")
    assert first.forward is wrapped
    assert "forward" not in vars(second)
