"""What every backend is compared with: a GPT-2 recomputed block by block."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

At = Callable[[int, str, Tensor], Tensor]
"""(layer, site, stream [batch, position, width]) -> edited stream"""


def _reference(model: Any, ids: Tensor, attention_mask: Tensor, at: At) -> Tensor:
    base, config = model.transformer, model.config
    rows, columns = ids.shape
    # A padded column's position does not matter; a real one counts the real ones before it.
    position = (attention_mask.cumsum(1) - 1).clamp(min=0)
    visible = torch.ones(columns, columns, dtype=torch.bool).tril() & attention_mask[:, None].bool()
    # A padded row sees nothing; let it see itself so that softmax has something to share out.
    visible = (visible | torch.eye(columns, dtype=torch.bool))[:, None]
    stream = base.wte.weight[ids] + base.wpe.weight[position]
    heads, size = config.n_head, config.n_embd // config.n_head
    for layer, block in enumerate(base.h):
        stream = at(layer, "resid_pre", stream)
        normed = functional.layer_norm(
            stream, [config.n_embd], block.ln_1.weight, block.ln_1.bias, config.layer_norm_epsilon
        )
        normed = at(layer, "ln1_out", normed)
        mixed = normed @ block.attn.c_attn.weight + block.attn.c_attn.bias
        query, key, value = (
            part.view(rows, columns, heads, size).transpose(1, 2) for part in mixed.chunk(3, dim=-1)
        )
        scores = (query @ key.mT / size**0.5).masked_fill(~visible, float("-inf"))
        heads_out = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
        heads_out = at(layer, "head_z", heads_out)
        attended = heads_out @ block.attn.c_proj.weight + block.attn.c_proj.bias
        stream = stream + at(layer, "attn_out", attended)
        normed = functional.layer_norm(
            stream, [config.n_embd], block.ln_2.weight, block.ln_2.bias, config.layer_norm_epsilon
        )
        normed = at(layer, "ln2_out", normed)
        hidden = functional.gelu(
            normed @ block.mlp.c_fc.weight + block.mlp.c_fc.bias, approximate="tanh"
        )
        written = hidden @ block.mlp.c_proj.weight + block.mlp.c_proj.bias
        stream = at(layer, "resid_post", stream + at(layer, "mlp_out", written))
    normed = functional.layer_norm(
        stream, [config.n_embd], base.ln_f.weight, base.ln_f.bias, config.layer_norm_epsilon
    )
    return normed @ base.wte.weight.T


@pytest.fixture
def reference() -> Callable[..., Tensor]:
    """reference(model, ids, attention_mask, at) -> logits [batch, position, vocabulary]"""
    return _reference


class _TraceDict(AbstractContextManager[None]):
    """The part of `baukit.TraceDict` that Evenkeel calls, told from its public signature."""

    def __init__(
        self,
        module: torch.nn.Module,
        layers: Sequence[str],
        retain_output: bool = True,
        edit_output: Callable[..., Any] | None = None,
    ) -> None:
        assert edit_output is not None
        assert not retain_output
        self.handles = [
            module.get_submodule(layer).register_forward_hook(
                partial(lambda layer, _m, _i, output: edit_output(output, layer), layer)
            )
            for layer in layers
        ]

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()


@pytest.fixture
def _baukit(monkeypatch: pytest.MonkeyPatch) -> None:
    """baukit itself where it is installed; a stand-in elsewhere, for no package index has it."""
    if find_spec("baukit") is None:
        monkeypatch.setitem(sys.modules, "baukit", SimpleNamespace(TraceDict=_TraceDict))
