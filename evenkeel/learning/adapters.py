"""LoRA adapters (Hu et al. 2021) put into a model and taken out again, by peft."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from evenkeel.errors import BadInputError
from evenkeel.models.devices import input_device
from evenkeel.tensor_files import read_tensor_folder, write_tensor_folder

_NAME, _KIND = "evenkeel", "LoRA adapter"
Factors = Mapping[str, Float[Tensor, "rows columns"]]
"""Both factors of every layer by the name of the parameter, float32 whatever the model is."""


@dataclass(frozen=True, eq=False)
class Adapter:
    """What was trained: W + multiplier * B A in the place of every linear map W of the blocks."""

    rank: int
    factors: Factors

    def save(self, path: Path) -> None:
        """Write the folder `path`: record.json and tensors.safetensors."""
        tensors = {name: factor.detach().cpu() for name, factor in self.factors.items()}
        write_tensor_folder(path, tensors, {"rank": self.rank}, kind=_KIND, version=1)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a folder that `save` wrote.

        Raises:
            BadInputError: a file is missing, truncated, foreign or of another version.
        """
        tensors, record = read_tensor_folder(path, kind=_KIND, version=1)
        return cls(record["rank"], tensors)


@contextmanager
def adapted(model: Any, adapter: Adapter, multiplier: float = 1.0) -> Iterator[Any]:
    """Run a model with an adapter while the block runs; afterwards it is as it was, bit for bit.

    Raises:
        BadInputError: peft is not installed.
    """
    with injected(model, adapter.rank, multiplier) as factors, torch.no_grad():
        for name, factor in factors.items():
            factor.copy_(adapter.factors[name])
        with torch.enable_grad():
            yield model


def merge(model: Any, adapter: Adapter) -> None:
    """Add what an adapter does to the weights themselves, in their own dtype.

    Raises:
        BadInputError: peft is not installed.
    """
    with adapted(model, adapter) as merged:
        for module in merged.modules():
            if _NAME in (getattr(module, "lora_A", None) or ()):
                module.merge(adapter_names=[_NAME])


@contextmanager
def injected(
    model: Any, rank: int, multiplier: float = 1.0, seed: int = 0
) -> Iterator[dict[str, torch.nn.Parameter]]:
    """Put a new adapter, which does nothing yet, into a model; yield its factors, to be trained.

    Every linear map but the unembedding gets one. Leaving the block puts the model's own modules
    back: they were never changed.

    Args:
        model: a causal LM; its own parameters ask for no gradients inside.
        rank: of each product.
        multiplier: of each product.
        seed: of the first factors, which are random; the second are zero.

    Raises:
        BadInputError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise BadInputError(
            "LoRA baselines (cda_lora, dpo_lora) and implants need the package peft; install "
            "evenkeel with the extra 'peft', or drop them from evaluation.baselines"
        ) from error
    children = [(parent, name, child) for parent in model.modules()
                for name, child in parent.named_children()]  # fmt: skip
    asked = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    before = vars(model).get("peft_config")
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,  # so that the product is used as it is
        target_modules="all-linear",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )
    device = input_device(model)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            inject_adapter_in_model(config, model, _NAME)
        for module in model.modules():
            if _NAME in (getattr(module, "lora_A", None) or ()):
                module.scaling[_NAME] = multiplier
        factors = {name: p for name, p in model.named_parameters() if f".{_NAME}." in name}
        for factor in factors.values():
            factor.data = factor.data.float()
        yield factors
    finally:
        for parent, name, child in children:
            parent._modules[name] = child
        for parameter, wanted in asked:
            parameter.requires_grad_(wanted)
        vars(model).pop("peft_config", None)
        if before is not None:
            model.peft_config = before
