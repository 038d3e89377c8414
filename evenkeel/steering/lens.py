"""A backend for models of TransformerLens: the same specs through its named hooks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.steering.intervention import Edit
from evenkeel.steering.plan import by_point, check_width, compose, depends_on_place
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
            device=str(model.device),
            dtype=model.dtype,
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
    if depends_on_place(interventions):
        raise BadInputError(
            "hooks of TransformerLens know neither positions nor tokens; act at all positions, "
            "without a TokenGate and without an SAE that leaves the first tokens alone, or steer "
            "the model of transformers"
        )
    weight = next(parameter for parameter in model.parameters() if parameter.is_floating_point())
    hooks = []
    for point, group in by_point(interventions).items():
        name = point.hook_name
        if name not in model.hook_dict:
            raise BadInputError(
                f"this model has no hook {name} for {point}: it has layers 0 to "
                f"{model.cfg.n_layers - 1}"
            )
        heads = point.site == "head_z"
        for item in group:
            check_width(item, model.cfg.n_heads * model.cfg.d_head if heads else model.cfg.d_model)
        hooks.append((name, _hook(compose(group, weight.device, weight.dtype), heads)))
    with model.hooks(fwd_hooks=hooks):
        yield


def _hook(edit: Edit, heads: bool) -> Callable[..., Tensor]:
    def hook(stream: Tensor, hook: Any) -> Tensor:
        if heads:  # [batch, position, head, width of a head]
            return edit(stream.flatten(2)).view_as(stream)
        return edit(stream)

    return hook
