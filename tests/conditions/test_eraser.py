"""Erasers at every layer, behind every gate, and what takes their place as a null."""

import pytest
import torch

from evenkeel.conditions.eraser import EraserCondition, make_eraser_conditions
from evenkeel.conditions.vector import Gating
from evenkeel.controls.nulls import null_conditions
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.steering.erasure import Erase
from evenkeel.steering.gates import ProbeGate
from evenkeel.vectors.shuffled import ShuffledVectors
from tests.evaluation.samples import make_erasers


def gate_at(point: HookPoint) -> Gating:
    return Gating((ProbeGate(torch.ones(32), float(point.layer)),), torch.full((32,), 2.0))


def chosen(method: str = "leace") -> EraserCondition:
    return EraserCondition(tuple(make_erasers((method,))), method)


def test_the_whole_grid_in_a_fixed_order() -> None:
    found = make_eraser_conditions(
        make_erasers(("leace", "inlp")), "gender", ["inlp", "leace"], "all",
        ["none", "probe", "band"], gate_at,
    )  # fmt: skip
    assert [(c.name, c.recipe.layer, c.recipe.rank) for c in found] == [
        (method + suffix, layer, 2)
        for method in ("inlp", "leace")
        for layer in (0, 1, 2, "all")
        for suffix in ("", "_probe")
    ]


def test_behind_a_gate_the_midpoint_takes_the_place_of_what_is_erased() -> None:
    free, gated = make_eraser_conditions(
        make_erasers(), "gender", ["leace"], [1], ["none", "probe"], gate_at
    )
    eraser, x = make_erasers()[1], torch.randn(1, 4, 32)
    (edit,) = free.interventions
    assert (edit.layer, edit.gates) == (1, ())
    torch.testing.assert_close(
        edit(x) @ eraser.proj_right.mT, (eraser.proj_right @ eraser.bias).expand(1, 4, 2)
    )
    (edit,) = gated.interventions
    assert isinstance(edit.gates[0], ProbeGate)
    there = eraser.proj_right @ torch.full((32,), 2.0)
    torch.testing.assert_close(edit(x) @ eraser.proj_right.mT, there.expand(1, 4, 2))


def test_a_dose_is_a_share_of_the_erasure() -> None:
    (whole,), (half,) = chosen_at(1.0).interventions, chosen_at(0.5).interventions
    x = torch.randn(1, 4, 32)
    torch.testing.assert_close(half(x) - x, (whole(x) - x) / 2)


def chosen_at(dose: float) -> EraserCondition:
    return EraserCondition(tuple(make_erasers()[:1]), "leace").at(dose)


@pytest.mark.parametrize("method", ["leace", "inlp"])
def test_rotated_ones_are_projections_as_oblique_as_before(method: str) -> None:
    condition = chosen(method)
    draws = condition.rotated(3, seed=0)
    assert [each.recipe.method for each in draws] == ["random"] * 3
    for draw in draws:
        for eraser, turned in zip(condition.erasers, draw.erasers, strict=True):
            left, right = turned.proj_left, turned.proj_right
            torch.testing.assert_close(right @ left, torch.eye(2), atol=1e-5, rtol=0)
            torch.testing.assert_close(left.mT @ left, eraser.proj_left.mT @ eraser.proj_left)
            torch.testing.assert_close(right @ right.mT, eraser.proj_right @ eraser.proj_right.mT)
            assert (left - eraser.proj_left).abs().max() > 0.01
    again = condition.rotated(3, seed=0)
    assert torch.equal(again[2].erasers[0].proj_left, draws[2].erasers[0].proj_left)


def test_nulls_are_rotated_and_along_shuffles() -> None:
    shuffles = {f"groups/resid_post/{layer}": torch.randn(4, 32) for layer in range(3)}
    nulls = null_conditions(chosen(), ShuffledVectors(shuffles), 3, seed=0)
    assert {kind: len(drawn) for kind, drawn in nulls.items()} == {"random": 3, "shuffled": 3}
    (edit, *_) = nulls["shuffled"][1].interventions
    assert isinstance(edit, Erase)
    x = torch.randn(1, 1, 32) + edit.bias
    for row in shuffles["groups/resid_post/0"][1:3]:
        assert abs(float((edit(x)[0, 0] - edit.bias) @ row)) < 1e-4
    few = {key: rows[:1] for key, rows in shuffles.items()}
    with pytest.raises(BadInputError, match=r"1 shuffles of groups/resid_post/0 .* 2 dimensions"):
        null_conditions(chosen(), ShuffledVectors(few), 1, seed=0)


def test_missing_erasers_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"no inlp eraser of the group for axis 'gender'"):
        make_eraser_conditions(make_erasers(), "gender", ["inlp"], "all", ["none"], gate_at)
    with pytest.raises(BadInputError, match=r"names layer 9"):
        make_eraser_conditions(make_erasers(), "gender", ["leace"], [9], ["none"], gate_at)
