"""GGUF control vectors: what llama.cpp adds to the stream with `--control-vector FILE`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.files import atomic_file, require_file
from evenkeel.models.architecture import architecture_of
from evenkeel.steering.intervention import SINKS_HINT, Add, Intervention
from evenkeel.steering.plan import check_fit
from evenkeel.steering.spec import Steering, interventions_in

_ARCHITECTURE = "controlvector"
_DIRECTION = re.compile("direction\\.([0-9]{1,6})")
_GGUF_NAMES = {
    "cohere": "command-r",
    "gemma3_text": "gemma3",
    "gpt_bigcode": "starcoder",
    "gpt_neox": "gptneox",
    "gpt_oss": "gpt-oss",
    "mistral": "llama",
    "mixtral": "llama",
    "phi": "phi2",
    "qwen2_moe": "qwen2moe",
    "qwen3_moe": "qwen3moe",
}
"""What llama.cpp calls a family, where that is not what transformers calls it."""


def write_control_vector(path: Path, model: Any, spec: Steering) -> None:
    """Write a spec as a GGUF control vector, atomically, and read it back.

    A control vector can only add to a block's output (`direction.N` to that of block N, from 0), at
    every position; block 0 has none in llama.cpp. Whatever else a spec asks for is refused.

    Raises:
        BadInputError: an intervention does not fit the model, or a control vector cannot hold it;
            llama.cpp does not know the family; the package gguf is not installed.
    """
    directions = _directions(model, spec)
    hint = _hint(model)
    if hint not in _gguf().MODEL_ARCH_NAMES.values():
        raise BadInputError(
            f"llama.cpp knows no {hint} models, so that no control vector can steer one there; "
            "export a Hugging Face folder (--format hf), or steer through hooks"
        )
    write_directions(path, model, directions)


def write_directions(
    path: Path, model: Any, directions: Mapping[int, Float[Tensor, " width"]]
) -> None:
    """Write float32 vectors by block as `direction.N` of a GGUF file, atomically; read it back.

    Raises:
        BadInputError: the package gguf is not installed.
    """
    gguf = _gguf()
    with atomic_file(path) as part:
        writer = gguf.GGUFWriter(part, _ARCHITECTURE)
        writer.add_string(f"{_ARCHITECTURE}.model_hint", _hint(model))
        writer.add_int32(f"{_ARCHITECTURE}.layer_count", max(directions))
        for layer in sorted(directions):
            writer.add_tensor(f"direction.{layer}", directions[layer].numpy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        found = read_control_vector(part)
        assert found.keys() == directions.keys()
        assert all(torch.equal(found[layer], directions[layer]) for layer in found)


def _hint(model: Any) -> str:
    """What llama.cpp calls the model's family."""
    family = str(model.config.get_text_config().model_type)
    return _GGUF_NAMES.get(family, family)


def read_control_vector(path: Path) -> dict[int, Float[Tensor, " width"]]:
    """What a GGUF control vector adds to the output of each block, by the block's index.

    Raises:
        BadInputError: the file is missing or is no GGUF control vector; gguf is not installed.
    """
    gguf = _gguf()
    require_file(path, "give another path")
    try:
        reader = gguf.GGUFReader(path)
        field = reader.get_field("general.architecture")
        kind = field.contents() if field else None
        found = {tensor.name: torch.tensor(tensor.data) for tensor in reader.tensors}
    except Exception as error:  # gguf and numpy raise whatever a damaged header makes them
        raise BadInputError(f"{path}: cannot be read as GGUF ({error}); write it again") from error
    if kind != _ARCHITECTURE:
        raise BadInputError(f"{path}: a GGUF file, but no control vector; give another path")
    layers = {name: _DIRECTION.fullmatch(name) for name in found}
    for name, match in layers.items():
        if match is None:
            raise BadInputError(
                f"{path}: tensor {name!r}; those of control vectors are direction.N"
            )
    return {int(match[1]): found[name] for name, match in layers.items() if match}


def _directions(model: Any, spec: Steering) -> dict[int, Float[Tensor, " width"]]:
    interventions = interventions_in(spec)
    check_fit(model, interventions)
    sums: dict[int, Tensor] = {}
    for item in interventions:
        if not isinstance(item, Add):
            raise _impossible(item, "it can only add")
        if not item.everywhere:
            raise _impossible(item, f"it acts at all positions and knows no gates{SINKS_HINT}")
        if item.site not in ("resid_pre", "resid_post"):
            raise _impossible(item, "it acts on the stream between blocks (resid_pre, resid_post)")
        # The stream before a block is that after the block before.
        layer = item.layer - (item.site == "resid_pre")
        if layer < 1:
            last = len(architecture_of(model).blocks(model)) - 1
            raise _impossible(item, f"it acts at resid_post of layers 1 to {last} only")
        added = item.direction.detach().double().cpu() * item.scale
        sums[layer] = sums.get(layer, torch.zeros_like(added)) + added
    if not sums:
        raise BadInputError("the spec holds no intervention; there is nothing to export")
    return {layer: added.float() for layer, added in sums.items()}


def _impossible(item: Intervention, why: str) -> BadInputError:
    return BadInputError(
        f"{type(item).__name__} at layer {item.layer}, {item.site} cannot be a GGUF control "
        f"vector: {why}. Export something else, or steer through hooks"
    )


def _gguf() -> Any:
    try:
        import gguf
    except ImportError as error:
        raise BadInputError(
            "GGUF export needs the package gguf; install evenkeel with the extra 'gguf'"
        ) from error
    return gguf
