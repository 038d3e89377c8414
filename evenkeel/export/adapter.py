"""A spec as a LoRA adapter of PEFT: what a change of low rank in weights can hold."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from evenkeel.errors import BadInputError
from evenkeel.export.baked import check_baked
from evenkeel.files import atomic_folder
from evenkeel.steering.spec import Steering
from evenkeel.steering.weights import edited_weights

_LARGEST = 64
"""Rank above which an adapter saves nothing over a baked model."""
Factors = tuple[Float[Tensor, "inputs rank"], Float[Tensor, "rank outputs"]]


def write_adapter(path: Path, model: Any, spec: Steering) -> None:
    """Write a spec as a PEFT adapter into a new folder, and check it by reading it back.

    Args:
        path: the folder; it must not exist, or be empty.
        model: a causal LM of transformers; it is not changed.
        spec: what weights can hold (`weights.edited_weights`), and without a bias: an ablation.

    Raises:
        BadInputError: the folder is not empty, weights or an adapter cannot hold the spec, or peft
            is not installed.
    """
    try:
        from peft import LoraConfig, PeftModel, get_peft_model
    except ImportError as error:
        raise BadInputError(
            "a PEFT adapter needs the package peft; install evenkeel with the extra 'peft'"
        ) from error
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadInputError(f"{path} is there already; name a new folder")
    factors = _factors(model, spec)
    ranks = {name: right.shape[0] for name, (_, right) in factors.items()}
    rank = max(ranks.values())
    transposed = any(isinstance(model.get_submodule(name), Conv1D) for name in factors)
    # Names in full, by a pattern: PEFT would take a bare name for the end of any other.
    names = "|".join(name.replace(".", r"\.") for name in sorted(factors))
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,  # so that the factors are used as they are
        target_modules=f"({names})",
        fan_in_fan_out=transposed,
        task_type="CAUSAL_LM",
    )
    adapted: Any = get_peft_model(deepcopy(model), config)
    with torch.no_grad():
        for name, (left, right) in factors.items():
            _fill(adapted.base_model.model.get_submodule(name), left, right)
    with atomic_folder(path) as part:
        adapted.save_pretrained(str(part), save_embedding_layers=False)
        found = PeftModel.from_pretrained(deepcopy(model), part)
        check_baked(model, spec, found.eval(), "adapter of the")


def _fill(layer: Any, left: Tensor, right: Tensor) -> None:
    """Have a layer of PEFT add left @ right to its weight [inputs, outputs]."""
    if isinstance(layer.get_base_layer(), nn.Embedding):
        a, b = layer.lora_embedding_A["default"], layer.lora_embedding_B["default"]
    else:
        a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    a.zero_()
    b.zero_()
    a[: left.shape[1]] = left.mT
    b[:, : right.shape[0]] = right.mT


def _factors(model: Any, spec: Steering) -> dict[str, Factors]:
    """By module, the change of its weight [inputs, outputs] as a product of low rank."""
    names = {module: name for name, module in model.named_modules()}
    found: dict[str, Factors] = {}
    for (module, parameter), value in edited_weights(model, spec).items():
        name = names[module]
        old = getattr(module, parameter, None)
        change = value.double() - (0 if old is None else old.detach().double())
        if not change.any():
            continue
        if parameter != "weight":
            raise BadInputError(
                f"an adapter cannot hold the spec: it changes the bias of {name}; an ablation "
                "changes weights alone, and a Hugging Face folder (--format hf) holds biases"
            )
        change = change.mT if isinstance(module, nn.Linear) else change
        left, sizes, right = torch.linalg.svd(change, full_matrices=False)
        # Weights are float32 at best, so that smaller values than this are their rounding.
        rank = int((sizes > 1e-5 * sizes[0]).sum())
        if rank > _LARGEST:
            raise BadInputError(
                f"an adapter cannot hold the spec: the change of {name} has rank {rank}, over "
                f"{_LARGEST}; export a Hugging Face folder (--format hf)"
            )
        root = sizes[:rank].sqrt()
        found[name] = (left[:, :rank] * root, root[:, None] * right[:rank])
    if not found:
        raise BadInputError("the spec changes no weight; there is nothing to export")
    return found
