"""A backend for models of TransformerLens: the same specs through its named hooks."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from evenkeel.activations.sinks import SinkProbe, measurement_of, random_texts
from evenkeel.errors import BadInputError
from evenkeel.models.devices import computing_dtype, input_device
from evenkeel.models.encoding import front_of
from evenkeel.models.sites import HookPoint
from evenkeel.steering.composed import compose
from evenkeel.steering.intervention import Edit
from evenkeel.steering.plan import by_point, check_width, depends_on_place
from evenkeel.steering.positions import PositionTracker
from evenkeel.steering.spec import Steering, interventions_in


def bridged(model: Any, tokenizer: Any) -> Any:
    """A copy of a model of transformers as TransformerLens sees it: a TransformerBridge.

    A bridge puts the hooks of TransformerLens into the modules of transformers for good; hence the
    copy, which is `original_model` in it.

    Args:
        model: a causal LM of transformers.
        tokenizer: of the model, as loaded from a folder or a hub.

    Raises:
        BadInputError: TransformerLens is not installed, or does not know the family.
    """
    try:
        from transformer_lens.model_bridge import TransformerBridge
    except ImportError as error:
        raise BadInputError(
            "this backend needs TransformerLens 3: pip install 'transformer-lens>=3'"
        ) from error
    try:
        return TransformerBridge.boot_transformers(
            model.name_or_path or model.config.model_type,
            hf_model=deepcopy(model),
            tokenizer=tokenizer,
            device=str(input_device(model)),
            dtype=computing_dtype(model),
        )
    except ValueError as error:
        raise BadInputError(f"TransformerLens cannot take this model: {error}") from error


@contextmanager
def steer_lens(model: Any, spec: Steering) -> Iterator[None]:
    """Intervene while the block runs, as `hooks.steer` does, in a model of TransformerLens.

    Args:
        model: a HookedTransformer or a TransformerBridge. One whose weights were processed (its
            writing weights centered) has another stream than the model of transformers that
            vectors come from: load it with `from_pretrained_no_processing`.
        spec: interventions at all positions; TransformerLens does not tell a hook where it is.

    Raises:
        BadInputError: an intervention does not fit the model, or depends on positions or tokens.
            Nothing has been hooked then.
    """
    interventions = interventions_in(spec)
    for item in interventions:
        if item.positions != "all" or any(gate.reads_tokens for gate in item.gates):
            raise BadInputError(
                "hooks of TransformerLens know neither positions nor tokens; act at all positions "
                "and without a TokenGate, or steer the model of transformers"
            )
    names: dict[HookPoint, str] = {}
    for item in interventions:
        names[item.point] = name = item.point.hook_name
        if name not in model.hook_dict:
            raise BadInputError(
                f"this model has no hook {name} for layer {item.layer}, {item.site}: it has layers "
                f"0 to {model.cfg.n_layers - 1}"
            )
        heads = item.site == "head_z"
        check_width(item, model.cfg.n_heads * model.cfg.d_head if heads else model.cfg.d_model)
    sparing = {item.point for item in interventions if item.sinks == "exclude"}
    probes = _sink_probes(model, {point: names[point] for point in sparing})
    tracker = PositionTracker() if depends_on_place(interventions) else None
    measurement = measurement_of(model)
    hooks = []
    for point, group in by_point(interventions).items():
        edit = compose(group, measurement, tracker, probes.get(point))
        hooks.append((names[point], _hook(edit, point.site == "head_z")))
    layers = {item.layer for item in interventions}
    following = _watching(model, layers, tracker) if tracker else nullcontext()
    with following, model.hooks(fwd_hooks=hooks):
        yield


def _sink_probes(model: Any, names: Mapping[HookPoint, str]) -> dict[HookPoint, SinkProbe | None]:
    """As `measure_sinks`, through the hooks of TransformerLens."""
    if not names:
        return {}
    front = front_of(getattr(model, "original_model", model))
    bos = getattr(getattr(model, "tokenizer", None), "bos_token_id", None)
    ids = random_texts(model.cfg.d_vocab, model.cfg.n_ctx, front, bos)
    with measurement_of(model).running(), torch.inference_mode():
        _, cache = model.run_with_cache(
            ids.to(model.cfg.device), return_type=None, names_filter=list(names.values())
        )
    probes = {}
    for point, name in names.items():
        stream = cache[name].flatten(2).float().cpu()
        probes[point] = SinkProbe.of(stream[:, 0], stream[:, 1:].norm(dim=-1).flatten())
    return probes


@contextmanager
def _watching(model: Any, layers: set[int], tracker: PositionTracker) -> Iterator[None]:
    """Follow a model of TransformerLens, so that first tokens are told from others."""
    if hasattr(model, "original_model"):
        with tracker.watching(model.original_model):
            yield
        return

    def begin(_block: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rows, columns = args[0].shape[:2]
        cache = kwargs.get("past_kv_cache_entry")
        start = cache.past_keys.shape[1] if cache is not None else 0
        tracker.begin(rows, start, columns, kwargs.get("attention_mask"))

    with ExitStack() as stack:
        for layer in layers:
            handle = model.blocks[layer].register_forward_pre_hook(begin, with_kwargs=True)
            stack.callback(handle.remove)
        yield


def _hook(edit: Edit, heads: bool) -> Callable[..., Tensor]:
    def hook(stream: Tensor, hook: Any) -> Tensor:
        if heads:  # [batch, position, head, width of a head]
            return edit(stream.flatten(2)).view_as(stream)
        return edit(stream)

    return hook
