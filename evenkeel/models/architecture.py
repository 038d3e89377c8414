"""Where each model family keeps its parts: the one table, and the hook points found through it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import nn

from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint


@dataclass(frozen=True)
class Architecture:
    """Dotted paths to a family's parts: the first ones from the causal LM, the rest from a block.

    A part that a family does not have as a module is None; a site that needs it is refused.
    """

    blocks_path: str
    final_norm_path: str | None
    embedding_paths: tuple[str, ...]
    """Modules whose outputs sum to the stream's start."""
    attention_path: str | None = "self_attn"
    """The module whose output is added to the stream as attention's part."""
    mlp_path: str | None = "mlp"
    """The module whose output is added to the stream as the MLP's part."""
    attention_projection_path: str | None = "self_attn.o_proj"
    """The linear layer that mixes the heads back into the stream; its input is head_z."""
    mlp_projection_path: str | None = "mlp.down_proj"
    """The last linear layer of the MLP."""
    attention_norm_path: str | None = "input_layernorm"
    """The norm whose output attention alone reads."""
    mlp_norm_path: str | None = "post_attention_layernorm"
    """The norm whose output the MLP alone reads."""
    attention_reader_paths: tuple[str, ...] = (
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
    )
    """The linear layers of attention that read its norm."""
    mlp_reader_paths: tuple[str, ...] = ("mlp.gate_proj", "mlp.up_proj")
    """The linear layers of the MLP that read its norm."""

    def blocks(self, model: nn.Module) -> nn.ModuleList:
        blocks = model.get_submodule(self.blocks_path)
        assert isinstance(blocks, nn.ModuleList)
        return blocks

    def final_norm(self, model: nn.Module) -> nn.Module | None:
        return model.get_submodule(self.final_norm_path) if self.final_norm_path else None

    def embeddings(self, model: nn.Module) -> list[nn.Module]:
        return [model.get_submodule(path) for path in self.embedding_paths]

    def attention(self, block: nn.Module) -> nn.Module | None:
        return block.get_submodule(self.attention_path) if self.attention_path else None

    def mlp(self, block: nn.Module) -> nn.Module | None:
        return block.get_submodule(self.mlp_path) if self.mlp_path else None

    def attention_norm(self, block: nn.Module) -> nn.Module | None:
        path = self.attention_norm_path
        return block.get_submodule(path) if path else None

    def mlp_norm(self, block: nn.Module) -> nn.Module | None:
        return block.get_submodule(self.mlp_norm_path) if self.mlp_norm_path else None

    def attention_projection(self, block: nn.Module) -> nn.Module | None:
        path = self.attention_projection_path
        return block.get_submodule(path) if path else None

    def readers(self, block: nn.Module, norm: Literal["ln1_out", "ln2_out"]) -> list[nn.Module]:
        """The linear layers that read the output of a norm."""
        paths = self.attention_reader_paths if norm == "ln1_out" else self.mlp_reader_paths
        return [block.get_submodule(path) for path in paths]

    def mlp_projection(self, block: nn.Module) -> nn.Module | None:
        path = self.mlp_projection_path
        return block.get_submodule(path) if path else None


_LLAMA = Architecture("model.layers", "model.norm", ("model.embed_tokens",))
_GPT2 = Architecture(
    "transformer.h",
    "transformer.ln_f",
    ("transformer.wte", "transformer.wpe"),
    attention_path="attn",
    attention_projection_path="attn.c_proj",
    mlp_projection_path="mlp.c_proj",
    attention_norm_path="ln_1",
    mlp_norm_path="ln_2",
    attention_reader_paths=("attn.c_attn",),
    mlp_reader_paths=("mlp.c_fc",),
)
# Gemma 2 and 3 and OLMo 2 normalize each part once more before it joins the stream.
_POST_NORM = replace(
    _LLAMA,
    attention_path="post_attention_layernorm",
    mlp_path="post_feedforward_layernorm",
    mlp_norm_path="pre_feedforward_layernorm",
)

ARCHITECTURES: dict[str, Architecture] = {
    "gpt2": _GPT2,
    "gpt_neo": replace(
        _GPT2,
        attention_projection_path="attn.attention.out_proj",
        attention_reader_paths=tuple(f"attn.attention.{name}_proj" for name in "qkv"),
    ),
    "gpt_neox": Architecture(
        "gpt_neox.layers",
        "gpt_neox.final_layer_norm",
        ("gpt_neox.embed_in",),
        attention_path="attention",
        attention_projection_path="attention.dense",
        mlp_projection_path="mlp.dense_4h_to_h",
        attention_reader_paths=("attention.query_key_value",),
        mlp_reader_paths=("mlp.dense_h_to_4h",),
    ),
    "opt": Architecture(
        "model.decoder.layers",
        "model.decoder.final_layer_norm",
        ("model.decoder.embed_tokens", "model.decoder.embed_positions"),
        mlp_path=None,  # fc1 and fc2 run on flattened tokens, outside any module of their own
        attention_projection_path="self_attn.out_proj",
        mlp_projection_path="fc2",
        attention_norm_path="self_attn_layer_norm",
        mlp_norm_path="final_layer_norm",
        mlp_reader_paths=("fc1",),
    ),
    "falcon": Architecture(
        "transformer.h",
        "transformer.ln_f",
        ("transformer.word_embeddings",),
        attention_path="self_attention",
        attention_projection_path="self_attention.dense",
        mlp_projection_path="mlp.dense_4h_to_h",
        attention_norm_path=None,  # in most of its variants attention and MLP share one
        mlp_norm_path=None,
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "phi3": replace(
        _LLAMA,
        attention_reader_paths=("self_attn.qkv_proj",),
        mlp_reader_paths=("mlp.gate_up_proj",),
    ),
    "gemma": _LLAMA,
    "gemma2": _POST_NORM,
    "gemma3_text": _POST_NORM,
    "olmo2": replace(_POST_NORM, attention_norm_path=None, mlp_norm_path=None),
}


@dataclass(frozen=True)
class HookTarget:
    """A module and the side of it where a hook point's tensor passes."""

    module: nn.Module = field(repr=False)
    side: Literal["input", "output"]


def architecture_of(model: Any) -> Architecture:
    """Where the parts of `model` are.

    Args:
        model: a causal LM of transformers. Its config may name the blocks of an unknown family in
            `evenkeel_blocks` (params.yaml: model.blocks); only resid_pre and resid_post then exist.

    Raises:
        BadInputError: the family is unknown, or the model has no blocks where it should.
    """
    family = model.config.model_type
    named = getattr(model.config, "evenkeel_blocks", None)
    if named is not None:
        architecture = Architecture(named, None, (), None, None, None, None, None, None)
    elif family in ARCHITECTURES:
        architecture = ARCHITECTURES[family]
        if not getattr(model.config, "do_layer_norm_before", True):  # some OPT models
            architecture = replace(architecture, attention_norm_path=None, mlp_norm_path=None)
    else:
        raise BadInputError(
            f"no blocks are known for a model of family {family!r}; known families: "
            f"{', '.join(sorted(ARCHITECTURES))}. Name its list of blocks in params.yaml, as in "
            "model.blocks: transformer.h"
        )
    try:
        found = model.get_submodule(architecture.blocks_path)
    except AttributeError:
        found = None
    if not isinstance(found, nn.ModuleList) or not len(found):
        lists = [
            name for name, module in model.named_modules() if isinstance(module, nn.ModuleList)
        ]
        raise BadInputError(
            f"a {family} model should keep its blocks at {architecture.blocks_path!r}, but "
            f"there is no list of modules there; lists in this model: {', '.join(lists) or 'none'}"
        )
    return architecture


def hook_target(model: Any, point: HookPoint) -> HookTarget:
    """The module to hook for a hook point.

    Raises:
        BadInputError: the model does not have that layer or that site.
    """
    architecture = architecture_of(model)
    blocks = architecture.blocks(model)
    if not 0 <= point.layer < len(blocks):
        raise BadInputError(
            f"layer {point.layer} does not exist: this {model.config.model_type} model has "
            f"layers 0 to {len(blocks) - 1}"
        )
    block = blocks[point.layer]
    targets: dict[str, tuple[nn.Module | None, Literal["input", "output"]]] = {
        "resid_pre": (block, "input"),
        "resid_post": (block, "output"),
        "attn_out": (architecture.attention(block), "output"),
        "mlp_out": (architecture.mlp(block), "output"),
        "head_z": (architecture.attention_projection(block), "input"),
        "ln1_out": (architecture.attention_norm(block), "output"),
        "ln2_out": (architecture.mlp_norm(block), "output"),
    }
    module, side = targets.get(point.site, (None, "output"))
    if module is None:
        available = [name for name, (part, _) in targets.items() if part is not None]
        raise BadInputError(
            f"site {point.site!r} does not exist in this {model.config.model_type} model; it has: "
            f"{', '.join(available)}"
        )
    return HookTarget(module, side)


def hidden_of(value: Any) -> torch.Tensor:
    """The stream's tensor in what a module was given or returned: itself, or a tuple's first."""
    tensor: torch.Tensor = value[0] if isinstance(value, tuple) else value
    return tensor


@contextmanager
def _recorded_outputs(blocks: nn.ModuleList) -> Iterator[list[torch.Tensor]]:
    seen: list[torch.Tensor] = []
    handles = [
        block.register_forward_hook(lambda _m, _i, output: seen.append(hidden_of(output).clone()))
        for block in blocks
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def check_architecture(model: Any) -> None:
    """Run one tiny text and compare the hooked streams with transformers' own `hidden_states`.

    Raises:
        BadInputError: the blocks' outputs are not the streams that transformers reports.
    """
    architecture = architecture_of(model)
    blocks = architecture.blocks(model)
    ids = (
        torch.arange(1, 5, device=model.device).unsqueeze(0)
        % model.config.get_text_config().vocab_size
    )
    with torch.inference_mode(), _recorded_outputs(blocks) as seen:
        states = model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            output_hidden_states=True,
            use_cache=False,
        ).hidden_states
    agree = len(seen) == len(blocks) == len(states) - 1 and all(
        # Not the last: transformers reports it after the final norm.
        torch.equal(ours, theirs)
        for ours, theirs in zip(seen[:-1], states[1:-1], strict=True)
    )
    if not agree:
        raise BadInputError(
            f"the blocks at {architecture.blocks_path!r} of this {model.config.model_type} model "
            "do not give the streams that transformers reports as hidden_states; name the right "
            "list in params.yaml, as in model.blocks: transformer.h"
        )
