"""A spec for EasySteer 2 (vLLM): a JSON file, and beside it the vectors as GGUF files."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.export.control_vector import read_control_vector, write_directions
from evenkeel.files import read_object, write_json
from evenkeel.steering.intervention import SINKS_HINT, Add, Intervention, Positions
from evenkeel.steering.plan import check_fit
from evenkeel.steering.spec import Steering, interventions_in

APPLY: dict[Positions, dict[str, Any]] = {
    "all": {"prompt": "all", "generation": "all"},
    "prompt": {"prompt": "all"},
    "generated": {"generation": "all"},
    "last": {"prompt_positions": [-1], "generation": "all"},
}
"""Positions in EasySteer's words."""


def write_easysteer(path: Path, model: Any, spec: Steering) -> None:
    """Write a spec for EasySteer's `steering` field or `--steering-config`, and read it back.

    EasySteer adds a vector to the output of a block. The vectors of all interventions with the same
    positions are one GGUF file; paths in the JSON file are relative to it.

    Args:
        path: the JSON file; the vectors go to files of its name, ending in .gguf.
        model: a causal LM of transformers that the spec is for.
        spec: what is to be done.

    Raises:
        BadInputError: the path does not end in .json, an intervention does not fit the model, or
            EasySteer cannot do it; the package gguf is not installed.
    """
    if path.suffix != ".json":
        raise BadInputError(f"{path}: EasySteer reads .json files; name it so")
    interventions = interventions_in(spec)
    check_fit(model, interventions)
    if not interventions:
        raise BadInputError("the spec holds no intervention; there is nothing to export")
    by_positions: dict[Positions, dict[int, Tensor]] = {}
    for item in interventions:
        layer, vector = _vector(item)
        sums = by_positions.setdefault(item.positions, {})
        sums[layer] = sums.get(layer, torch.zeros_like(vector)) + vector
    vectors = []
    for positions, sums in by_positions.items():
        file = path.with_name(f"{path.stem}-{positions}.gguf")
        write_directions(file, model, {layer: vector.float() for layer, vector in sums.items()})
        vectors.append({
            "source": file.name, "scale": 1.0, "layers": sorted(sums), "normalize": False,
            "apply": APPLY[positions],
        })  # fmt: skip
    write_json(path, {"vectors": vectors, "conflict": "sequential"})
    assert len(read_easysteer(path)) == sum(len(sums) for sums in by_positions.values())


def read_easysteer(path: Path) -> list[Intervention]:
    """The additions that an EasySteer spec asks for.

    Raises:
        BadInputError: a file is missing or damaged, or it asks for something else than vectors of
            GGUF files in its own folder, added to the output of blocks.
    """
    record = read_object(path)
    found: list[Intervention] = []
    vectors = record.get("vectors")
    if not isinstance(vectors, list) or not all(isinstance(one, dict) for one in vectors):
        raise BadInputError(f"{path}: no EasySteer spec: its vectors must be a list")
    for one in vectors:
        source = one.get("source")
        if not isinstance(source, str) or Path(source).name != source:
            raise BadInputError(f"{path}: source {source!r}; it must name a file in this folder")
        where = next((name for name, apply in APPLY.items() if apply == one.get("apply")), None)
        if where is None or one.get("algorithm", "direct") != "direct":
            raise BadInputError(f"{path}: {source}: only vectors that are added are read")
        directions = read_control_vector(path.with_name(source))
        layers, scale = one.get("layers") or sorted(directions), one.get("scale", 1.0)
        if not isinstance(layers, list) or type(scale) not in (int, float):
            raise BadInputError(f"{path}: {source}: layers must be a list, and scale a number")
        for layer in layers:
            if type(layer) is not int or layer not in directions:
                raise BadInputError(f"{path}: {source} has no vector for layer {layer}")
            vector = directions[layer]
            if one.get("normalize"):
                vector = torch.nn.functional.normalize(vector, dim=0)
            found.append(
                Add(
                    vector,
                    float(scale),
                    layer=layer,
                    site="resid_post",
                    positions=where,
                    sinks="include",
                )
            )
    return found


def _vector(item: Intervention) -> tuple[int, Float[Tensor, " width"]]:
    """The block after which a vector is added, and the vector in float64."""
    if not isinstance(item, Add):
        raise _impossible(item, "only added vectors mean the same there")
    if item.gates or item.first_position:
        raise _impossible(item, f"it knows no gates of Evenkeel{SINKS_HINT}")
    if item.positions not in APPLY:
        raise _impossible(item, "a mask of positions is given with the input")
    layer = item.layer - (item.site == "resid_pre")
    if item.site not in ("resid_pre", "resid_post") or layer < 0:
        raise _impossible(item, "it adds to what a block returns (resid_post)")
    return layer, item.direction.detach().double().cpu() * item.scale


def _impossible(item: Intervention, why: str) -> BadInputError:
    return BadInputError(
        f"{type(item).__name__} at layer {item.layer}, {item.site} cannot be done by EasySteer: "
        f"{why}. Export something else, or steer through hooks"
    )
