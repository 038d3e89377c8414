"""A causal language model of transformers that steers itself.

Written by Evenkeel. What is done to the residual stream is in this model's weights (`steering`) and
in its config; nothing else is needed. Each edit adds, to each token's activation x at one place,
(x @ read + offset) @ write, or a constant, wherever all its gates are open: where low < x . weight
< high. It leaves the first token of each text alone where the config says so.
"""

import inspect
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class Edit(nn.Module):
    """One edit of the activations at one place."""

    def __init__(self, entry: dict[str, Any]) -> None:
        super().__init__()
        width, rank = entry["width"], entry["rank"]
        self.bounds = [
            (float("-inf") if low is None else low, float("inf") if high is None else high)
            for low, high in entry["bounds"]
        ]
        self.first = int(entry["first"])
        """Tokens at a text's start that are left alone."""

        def constant(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(shape, dtype=torch.float32), requires_grad=False)

        if rank:
            self.read = constant(width, rank)
            self.offset = constant(rank)
            self.write = constant(rank, width)
        else:
            self.shift = constant(width)
        self.gates = constant(len(self.bounds), width)
        self.rank = rank

    def forward(self, stream: Tensor, number: Tensor | None) -> Tensor:
        """The edited activations.

        Args:
            stream: [batch, position, width].
            number: of each token in its text, from 0, [batch, position].
        """
        kind = stream.device.type
        if torch.is_autocast_enabled(kind):
            with torch.autocast(kind, enabled=False):
                return self._edited(stream, number)
        return self._edited(stream, number)

    def _edited(self, stream: Tensor, number: Tensor | None) -> Tensor:
        exact = torch.float64 if stream.dtype == torch.float64 else torch.float32
        x = stream.to(exact)
        if self.rank:
            read, offset, write = (each.to(x) for each in (self.read, self.offset, self.write))
            edited = (x + (x @ read + offset) @ write).to(stream.dtype)
        else:
            edited = (x + self.shift.to(x)).to(stream.dtype)
        keep: Tensor | None = None
        if self.first and number is not None:
            keep = number.to(x.device) >= self.first
        for weight, (low, high) in zip(self.gates.to(x), self.bounds, strict=True):
            along = (x * weight).sum(-1)
            is_open = (along > low) & (along < high)
            keep = is_open if keep is None else keep & is_open
        return edited if keep is None else torch.where(keep.unsqueeze(-1), edited, stream)


class Steered(nn.Module):
    """What makes a model of transformers steer itself; mixed in before the model's class."""

    # Constants round once, with the activations.
    _keep_in_fp32_modules_strict: ClassVar[set[str]] = {"steering"}

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        model: Any = self
        model.steering = nn.ModuleList(Edit(entry) for entry in config.steering)
        self._number: Tensor | None = None
        self._names = list(inspect.signature(model.forward).parameters)
        model.register_forward_pre_hook(_begin, with_kwargs=True)
        for entry, edit in zip(config.steering, model.steering, strict=True):
            module = model.get_submodule(entry["module"])
            if entry["side"] == "input":
                module.register_forward_pre_hook(_InputHook(model, edit), with_kwargs=True)
            else:
                module.register_forward_hook(_OutputHook(model, edit))


class _Hook:
    def __init__(self, model: Any, edit: Edit) -> None:
        self.model, self.edit = model, edit

    def edited(self, stream: Tensor) -> Tensor:
        result: Tensor = self.edit(stream, self.model._number)
        return result


class _InputHook(_Hook):
    def __call__(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (self.edited(args[0]), *args[1:]), kwargs
        return args, kwargs | {"hidden_states": self.edited(kwargs["hidden_states"])}


class _OutputHook(_Hook):
    def __call__(self, _: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, tuple):
            return (self.edited(output[0]), *output[1:])
        return self.edited(output)


def _begin(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Note which token of its text each one is that this forward pass computes.

    Raises:
        ValueError: the attention mask is not one of texts and columns.
    """
    given = dict(zip(model._names, args, strict=False)) | kwargs
    tokens = given.get("input_ids")
    tokens = given.get("inputs_embeds") if tokens is None else tokens
    if tokens is None:
        raise ValueError("this model needs input_ids or inputs_embeds")
    cache, mask = given.get("past_key_values"), given.get("attention_mask")
    start = int(cache.get_seq_length()) if cache is not None else 0
    columns = torch.arange(start, start + tokens.shape[1], device=tokens.device).unsqueeze(0)
    if mask is None:
        model._number = columns.expand(len(tokens), -1)
    elif mask.dim() == 2:
        first = mask.bool().long().argmax(dim=1, keepdim=True)
        model._number = columns - first.to(columns.device)
    else:
        raise ValueError("this model needs an attention_mask of shape [texts, columns]")
