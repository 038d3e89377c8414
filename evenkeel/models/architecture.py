"""Where a causal LM keeps its blocks and their parts: searched once, decided by a forward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from evenkeel.errors import BadInputError
from evenkeel.models.dataflow import Dataflow, recorded
from evenkeel.models.devices import input_device
from evenkeel.models.parts import BlockParts, Side, find_parts
from evenkeel.models.sites import HookPoint

_TOKENS = 4
_FOUND: "WeakKeyDictionary[nn.Module, Architecture]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Architecture:
    """Where the parts of one model are."""

    blocks_path: str
    """Dotted path of the list of blocks."""
    parts: tuple[BlockParts, ...]
    """Of each block."""
    embedding_paths: tuple[str, ...]
    """Modules whose outputs sum to the residual stream's start; none where it starts otherwise."""

    def blocks(self, model: nn.Module) -> nn.ModuleList:
        blocks = model.get_submodule(self.blocks_path)
        assert isinstance(blocks, nn.ModuleList)
        return blocks

    def embeddings(self, model: nn.Module) -> list[nn.Module]:
        return [model.get_submodule(path) for path in self.embedding_paths]


@dataclass(frozen=True)
class HookTarget:
    """A module and the side of it where a hook point's tensor passes."""

    module: nn.Module = field(repr=False)
    side: Side
    width: int


def architecture_of(model: Any, blocks: str | None = None) -> Architecture:
    """Where the parts of `model` are; searched at the first call and remembered.

    The blocks are the list of modules, as long as the model has layers, whose inputs and outputs on
    a tiny text are transformers' own `hidden_states`, in shape and value (all but the last output,
    which transformers reports after the final norm). The sites are found inside them by what is
    added to the residual stream and by whom.

    Args:
        model: a causal LM of transformers, or a wrapper with one inside.
        blocks: path of the list of blocks (params.yaml: model.blocks); None searches for it.

    Raises:
        BadInputError: there is no such list; the message says what the lists of this model are.
    """
    known = _FOUND.get(model)
    if known is None or blocks not in (None, known.blocks_path):
        known = _FOUND[model] = _search(model, blocks)
    return known


def hook_target(model: Any, point: HookPoint) -> HookTarget:
    """The module to hook for a hook point.

    Raises:
        BadInputError: the model does not have that layer, or that layer has not that site; the
            message says why.
    """
    architecture = architecture_of(model)
    blocks = architecture.blocks(model)
    family = model.config.model_type
    if not 0 <= point.layer < len(blocks):
        raise BadInputError(
            f"layer {point.layer} does not exist: this {family} model has layers 0 to "
            f"{len(blocks) - 1}"
        )
    parts = architecture.parts[point.layer]
    if point.site not in parts.sites:
        raise BadInputError(
            f"site {point.site!r} does not exist in layer {point.layer} of this {family} model: "
            f"{parts.missing.get(point.site, 'no model has it')}; the layer has: "
            f"{', '.join(parts.sites)}"
        )
    part = parts.sites[point.site]
    module = blocks[point.layer].get_submodule(part.path)
    return HookTarget(module, part.side, part.width)


def hidden_of(value: Any) -> Tensor:
    """The residual stream in what a module was given or returned: itself, or a tuple's first."""
    tensor: Tensor = value[0] if isinstance(value, tuple) else value
    return tensor


def _search(model: Any, named: str | None) -> Architecture:
    family, config = model.config.model_type, model.config.get_text_config()
    lists = {
        path: len(module)
        for path, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module)
    }
    if named is not None and named not in lists:
        raise BadInputError(
            f"model.blocks {named!r}: there is no list of modules there; lists in this {family} "
            f"model: {', '.join(lists) or 'none'}"
        )
    layers = getattr(config, "num_hidden_layers", None)
    candidates = [named] if named else [path for path in lists if lists[path] == layers]
    if not candidates:
        raise BadInputError(
            f"no blocks are known for this {family} model: it has no list of {layers} modules, one "
            f"a layer; lists in it: {', '.join(lists) or 'none'}. Where one of them holds the "
            "blocks, name it in params.yaml, as in model.blocks: transformer.h"
        )
    flow, states = _run(model)
    reasons = []
    for path in candidates:
        reason = _why_not(flow, states, path, lists[path])
        if reason is None:
            blocks = model.get_submodule(path)
            parts = tuple(
                find_parts(flow, block, f"{path}.{layer}") for layer, block in enumerate(blocks)
            )
            return Architecture(path, parts, _embeddings(flow, f"{path}.0"))
        reasons.append(f"{path}: {reason}{_without_attention(model, path)}")
    raise BadInputError(
        f"this {family} model is not supported: its blocks should return what transformers "
        f"reports as hidden_states, but in {'; in '.join(reasons)}"
    )


def _without_attention(model: nn.Module, path: str) -> str:
    """A note on a state-space or recurrent family, nothing on others."""
    if any("attention" in type(module).__name__.lower() for module in model.modules()):
        return ""
    parts = {
        type(part).__name__
        for block in model.get_submodule(path).children()
        for part in block.children()
    }
    return (
        "; a block of this family has no attention, but "
        f"{', '.join(sorted(parts))}: a state-space or recurrent model"
    )


def _run(model: Any) -> tuple[Dataflow, tuple[Tensor, ...] | None]:
    """One forward pass over a few tokens."""
    ids = torch.arange(1, _TOKENS + 1, device=input_device(model))
    ids = ids.unsqueeze(0) % model.config.get_text_config().vocab_size
    try:
        with left_as_it_was(model), recorded(model) as flow:
            output = model(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                output_hidden_states=True,
                use_cache=False,
            )
    except BadInputError:
        raise
    except Exception as error:  # whatever the code of a family raises
        raise BadInputError(
            f"this {model.config.model_type} model cannot run a text of {_TOKENS} tokens "
            f"({type(error).__name__}: {str(error).partition(chr(10))[0]}); its config does not "
            "fit its code, or it needs more than text"
        ) from error
    return flow, getattr(output, "hidden_states", None)


@contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and none of the hooks that transformers leaves where it reports states."""
    installed = "_output_capturing_hooks_installed"
    modes = [(module, module.training) for module in model.modules()]
    hooks = [(module, set(module._forward_hooks)) for module in model.modules()]
    marked = {module for module in model.modules() if installed in vars(module)}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for module, before in hooks:
            for key in [key for key in module._forward_hooks if key not in before]:
                del module._forward_hooks[key]
            if module not in marked:
                vars(module).pop(installed, None)


def _why_not(
    flow: Dataflow, states: tuple[Tensor, ...] | None, path: str, layers: int
) -> str | None:
    """Why a list's modules are not the blocks, None if they are."""
    called = []
    for layer in range(layers):
        call = flow.once(f"{path}.{layer}")
        if call is None:
            times = len(flow.calls.get(f"{path}.{layer}", []))
            return f"module {layer} runs {times} times on a text, not once"
        if call.value is None or call.input is None:
            return f"module {layer} is not given the residual stream first, or does not return it"
        if call.value.dim() != 3:
            return (
                f"module {layer} returns {call.value.dim()} dimensions, {list(call.shape)}: "
                "several residual streams side by side, where one is expected"
            )
        called.append(call)
    if states is None:
        return "the model reports none"
    if len(states) != layers + 1:
        return f"there are {len(states)} of them for {layers} modules"
    for layer, (call, theirs) in enumerate(zip(called[:-1], states[1:-1], strict=True)):
        ours, given = call.value, call.given
        assert ours is not None
        if ours.shape != theirs.shape:
            return f"module {layer} returns shape {list(ours.shape)}, not {list(theirs.shape)}"
        if type(ours) is not Tensor or ours.is_meta:
            continue  # simulated: it has no values
        if not bool(ours.isfinite().all()):
            return (
                f"module {layer} returns infinity or NaN in {ours.dtype}; set model.dtype to "
                "float32 or bfloat16, and check the weights"
            )
        if torch.equal(ours, states[layer].to(ours.device)):
            return (
                f"transformers reports what module {layer} returns as hidden_states[{layer}], not "
                f"[{layer + 1}]: it leaves out the embeddings, and the layers of such a family "
                "would be counted otherwise than those of all others"
            )
        if not torch.equal(ours, theirs.to(ours.device)):
            return f"module {layer} returns other values"
        if given is None or not torch.equal(given, states[layer].to(given.device)):
            return f"module {layer} is given other values than hidden_states[{layer}]"
    return None


def _embeddings(flow: Dataflow, first_block: str) -> tuple[str, ...]:
    """Plain embeddings whose outputs sum to what the first block is given."""
    first = flow.once(first_block)
    assert first is not None
    assert first.input is not None
    pending, found = [first.input], []
    while pending:
        value = pending.pop(0)
        if value in flow.lookups:
            found.append(flow.lookups[value])
        elif value in flow.sums:
            pending += flow.sums[value]
        else:
            return ()
    return tuple(found)
