"""Whether a model's weights fit where they are to be kept, before they are loaded."""

import math
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors import SafetensorError, safe_open

from evenkeel.errors import BadInputError

_PACKED = 16
"""Most weights in one number of a file: those of 2 bits in 32."""
_SMALL = 10**6


def require_memory(folder: Path, name: str, dtype: str, device: str, spread: bool) -> None:
    """Refuse weights that are larger than the memory that is free now.

    Activations come on top, so a model that just passes may still run out; what is refused would
    have failed for certain, or would have swapped.

    Args:
        folder: of the safetensors weights.
        name: of the model, for the message.
        dtype: type in which the weights are to be kept.
        device: "cpu", "cuda" or "cuda:1".
        spread: over all GPUs, and not on the one.

    Raises:
        BadInputError: they do not fit; the message says what they need, in every type.
    """
    parameters = count_parameters(folder)
    needed = parameters * getattr(torch, dtype).itemsize
    free = free_memory(device, spread)
    if needed <= free:
        return
    where = "all GPUs together" if spread else device
    ways = ["choose a smaller model"]
    if needed > 2 * parameters:
        ways.insert(0, "set model.dtype to bfloat16")
    if device != "cpu" and not spread:
        ways.insert(0, "set model.device_map to auto where there are several GPUs")
    raise BadInputError(
        f"{name}: its {parameters / 1e9:.2f} billion weights need {_gb(needed)} in {dtype} "
        f"({_gb(2 * parameters)} in bfloat16, {_gb(4 * parameters)} in float32), but {where} "
        f"{'have' if spread else 'has'} {_gb(free)} free; {', or '.join(ways)}"
    )


def require_described(folder: Path, kind: Any, config: Any, trust_remote_code: bool) -> None:
    """Refuse a config that describes far more weights than the files hold, before they are made.

    What a file does not hold transformers makes up, and what it makes up takes memory. Quantized
    weights are several to a number, so the refusal is of what is larger by a factor.

    Args:
        folder: of the safetensors weights.
        kind: the auto class that makes the model.
        config: as transformers read it.
        trust_remote_code: the user's word on code in the folder.

    Raises:
        BadInputError: with both numbers.
    """
    with torch.device("meta"):
        model = kind.from_config(config, trust_remote_code=trust_remote_code)
    described = sum(parameter.numel() for parameter in model.parameters())
    held = count_parameters(folder)
    if described > _PACKED * held + _SMALL:
        raise BadInputError(
            f"{folder / 'config.json'}: describes a model of {described} weights, but the files "
            f"hold {held}; get the model again, or correct its config.json"
        )


def count_parameters(folder: Path) -> int:
    """Numbers in all safetensors files of a folder, read off their headers.

    A file that is damaged counts as none: whoever loads it says what is wrong with it.
    """
    total = 0
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt") as tensors:
                names = list(tensors.keys())
                total += sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)
        except (SafetensorError, OSError):
            continue
    return total


def free_memory(device: str, spread: bool) -> int:
    """Bytes that are free on a device, or on all GPUs together."""
    if device == "cpu":
        return int(psutil.virtual_memory().available)
    if spread:
        count = torch.cuda.device_count()
        return sum(torch.cuda.mem_get_info(number)[0] for number in range(count))
    return int(torch.cuda.mem_get_info(torch.device(device))[0])


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
