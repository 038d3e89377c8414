"""A route that is built into a model is found; effects are shares with an honest null."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from evenkeel.datasets.records import Prompt
from evenkeel.localisation.measuring import localise
from evenkeel.localisation.result import Localisation
from evenkeel.params import LocalisationParams
from tests.localisation.conftest import held_as_found

PARAMS = LocalisationParams(pairs=100, templates=2, resamples=200)


def test_a_route_built_into_the_model_is_found(loaded: Any) -> None:
    """Attention writes in block 1 alone, so that the item is carried there, and read from there."""
    with torch.no_grad():
        for layer in (0, 2):
            loaded.model.transformer.h[layer].attn.c_proj.weight.zero_()
    prompts = held_as_found(loaded.model, loaded.tokenizer)
    found = localise(loaded, "gender", prompts, PARAMS, seed=0)
    by_role = {(effect.layer, effect.role): effect for effect in found.by_role}
    for layer in range(3):
        carried = {"item": 1.0, "last": 0.0} if layer == 0 else {"item": 0.0, "last": 1.0}
        for role, share in carried.items():
            assert by_role[layer, role].effect == pytest.approx(share, abs=1e-4)
        assert by_role[layer, "between"].effect == pytest.approx(0, abs=1e-4)
    assert (found.handover, found.handover_ci95) == (1, (1, 1))
    assert {effect.layer for effect in found.by_head if abs(effect.effect or 0) > 1e-4} == {1}
    assert {effect.layer for effect in found.by_head if effect.p < 0.05} <= {1}
    assert found.strongest_heads[0].layer == 1


@pytest.fixture
def found(loaded: Any, prompts: Sequence[Prompt]) -> Localisation:
    return localise(loaded, "gender", prompts, PARAMS, seed=0)


def test_effects_are_shares_and_the_null_is_none(found: Localisation) -> None:
    assert found.reportable
    assert found.gap is not None
    assert found.gap > 0
    last = found.by_role[-1]
    assert (last.layer, last.role) == (2, "last")
    assert last.effect == pytest.approx(1, abs=1e-5)
    assert last.p < 0.05
    assert last.null is not None
    assert last.null < 0.5
    assert found.runs == 2 * 2 * found.pairs, "each pair both ways, in two templates"


def test_the_same_seed_gives_the_same_record(
    loaded: Any, prompts: Sequence[Prompt], found: Localisation
) -> None:
    again = localise(loaded, "gender", prompts, PARAMS, seed=0)
    assert again.model_dump_json() == found.model_dump_json()
    assert Localisation.model_validate_json(found.model_dump_json()) == found


def test_without_a_gap_effects_are_withheld(loaded: Any, prompts: Sequence[Prompt]) -> None:
    """Held against the wrong group, items differ the other way round."""
    other = {"female": "male", "male": "female"}
    turned = [p.model_copy(update={"held_against": other[str(p.held_against)]}) for p in prompts]
    found = localise(loaded, "gender", turned, PARAMS, seed=0)
    assert found.gap is not None
    assert found.gap < 0
    assert not found.reportable
    assert (found.effects, found.agreement, found.handover) == ([], None, None)
