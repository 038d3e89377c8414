"""The file that lm-evaluation-harness reads for its `steered` model: what is done to which part."""

from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.files import atomic_file
from evenkeel.models.architecture import hook_target
from evenkeel.models.sites import HookPoint
from evenkeel.steering.erasure import MeanAblate
from evenkeel.steering.intervention import SINKS_HINT, Ablate, Add, Intervention
from evenkeel.steering.plan import by_point, check_fit
from evenkeel.steering.spec import Steering, interventions_in
from evenkeel.steering.subspace import unit

SUFFIX = ".pt"


def write_steered_file(path: Path, model: Any, spec: Steering) -> None:
    """Write a spec for `lm_eval --model steered`, atomically, and read it back.

    The harness adds a vector to what a module returns, or clamps its component along one direction
    to a value, at every position, one action for a module. So what fits is: added vectors (their
    sum), and one direction ablated or mean-ablated, each in full. The format is that of torch.save;
    the file holds plain tensors, numbers and names, which torch.load(weights_only=True) reads.

    Args:
        path: the harness wants it to end in .pt.
        model: a causal LM of transformers that the spec is for.
        spec: what is to be done.

    Raises:
        BadInputError: an intervention does not fit the model, or the file cannot hold it.
    """
    if path.suffix != SUFFIX:
        raise BadInputError(f"{path}: lm-evaluation-harness reads {SUFFIX} files; name it so")
    actions = _actions(model, spec)
    buffer = BytesIO()  # into a path, torch.save would write the path's name, too
    torch.save(actions, buffer)
    with atomic_file(path) as part:
        part.write_bytes(buffer.getvalue())
        _check(actions, torch.load(part, weights_only=True))


def _check(written: dict[str, dict[str, Any]], found: dict[str, dict[str, Any]]) -> None:
    assert found.keys() == written.keys()
    for name, action in written.items():
        assert found[name].keys() == action.keys()
        for key, value in action.items():
            other = found[name][key]
            assert torch.equal(value, other) if isinstance(value, Tensor) else value == other


def _actions(model: Any, spec: Steering) -> dict[str, dict[str, Any]]:
    interventions = interventions_in(spec)
    check_fit(model, interventions)
    names = {module: name for name, module in model.base_model.named_modules()}
    by_module: dict[str, list[Intervention]] = {}
    # What a block returns is edited as its output before it is edited as the next one's input.
    for point, group in sorted(
        by_point(interventions).items(), key=lambda item: item[0].site == "resid_pre"
    ):
        if point.site == "resid_pre" and point.layer:
            target = hook_target(model, HookPoint("resid_post", point.layer - 1))
        else:
            target = hook_target(model, point)
        if target.side == "input":
            raise _impossible(group[0], "it edits what modules return, and none returns that")
        by_module.setdefault(names[target.module], []).extend(group)
    if not by_module:
        raise BadInputError("the spec holds no intervention; there is nothing to export")
    return {name: _action(group) for name, group in by_module.items()}


def _action(group: list[Intervention]) -> dict[str, Any]:
    for item in group:
        if not item.everywhere:
            raise _impossible(item, f"it acts at all positions and knows no gates{SINKS_HINT}")
    if all(isinstance(item, Add) for item in group):
        added = torch.zeros(group[0].width, dtype=torch.float64)
        for item in group:
            added = item(added)
        return _row("add", added, 1.0)
    item = group[0]
    if len(group) > 1:
        raise _impossible(item, "it does one thing to a module, and several are wanted there")
    if not isinstance(item, Ablate | MeanAblate):
        raise _impossible(item, "it can only add a vector or clamp along one direction")
    directions = torch.atleast_2d(item.directions)
    if len(directions) > 1 or item.multiplier != 1:
        raise _impossible(item, "it clamps one direction, and in full")
    direction = unit("directions", directions[0])
    value = float(direction @ item.mean.double()) if isinstance(item, MeanAblate) else 0.0
    return _row("clamp", direction, value)


def _row(action: str, vector: Float[Tensor, " width"], coefficient: float) -> dict[str, Any]:
    return {
        "action": action,
        "steering_vector": vector.float(),
        "steering_coefficient": coefficient,
        "bias": None,
        "head_index": None,
    }


def _impossible(item: Intervention, why: str) -> BadInputError:
    return BadInputError(
        f"{type(item).__name__} at layer {item.layer}, {item.site} cannot be a steered file of "
        f"lm-evaluation-harness: {why}. Export something else, or steer through hooks"
    )
