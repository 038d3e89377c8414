"""A GPT-2 recomputed block by block: what every backend is compared with."""

from collections.abc import Callable
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
