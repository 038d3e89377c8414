"""A steered model as a plain Hugging Face folder: `from_pretrained` is all that it needs."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from evenkeel.errors import BadInputError
from evenkeel.files import atomic_folder
from evenkeel.models.devices import computing_dtype, input_device
from evenkeel.steering.bias_edit import bias_edit
from evenkeel.steering.hooks import steer
from evenkeel.steering.spec import Steering

_BIAS_FLAGS = ("mlp_bias", "attention_bias", "use_bias", "bias")
"""Config fields that give linear layers a bias, in the families whose layers may have one."""

_SMALL = 1e-4
"""Difference of logits that never matters."""
_ROUNDING = 1e-6
"""Of the largest logit: what weights rounded once to float32 (2**-24 each) make of it."""


def write_baked_model(path: Path, model: Any, tokenizer: Any, spec: Steering) -> None:
    """Write a model with a spec in its weights into a new folder, and check it by reading it back.

    Args:
        path: the folder; it must not exist, or be empty.
        model: a causal LM of transformers; it is not changed.
        tokenizer: saved beside it.
        spec: what weights can hold (`weights.edited_weights`).

    Raises:
        BadInputError: the folder is not empty, weights cannot hold the spec, or this family has no
            place in its config for a bias that the spec needs, or rounding loses the change.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadInputError(f"{path} is there already; name a new folder")
    with bias_edit(model, spec):
        baked = _with_room(model)
    with atomic_folder(path) as part:
        baked.save_pretrained(part)
        tokenizer.save_pretrained(part)
        check_baked(model, spec, type(model).from_pretrained(part, dtype=computing_dtype(model)))


def _with_room(model: Any) -> Any:
    """A copy of an edited model whose config accounts for every parameter that it now has."""
    config = deepcopy(model.config)
    start, end = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    if start is not end:
        config.tie_word_embeddings = False
    state = model.state_dict()
    fresh, homeless = _fresh(model, config)
    for flag in _BIAS_FLAGS:
        if homeless and getattr(config, flag, None) is False:
            roomier = deepcopy(config)
            setattr(roomier, flag, True)
            candidate, left = _fresh(model, roomier)
            if left < homeless:
                config, fresh, homeless = roomier, candidate, left
    if homeless:
        raise BadInputError(
            f"a {config.model_type} model has no place for {', '.join(sorted(homeless))}; "
            "steer through hooks, or use an intervention that needs no bias (ablate)"
        )
    room = {name: torch.zeros_like(value) for name, value in fresh.state_dict().items()}
    assert all(name in state or name.endswith(".bias") for name in room)
    fresh.load_state_dict(room | state)
    fresh.generation_config = deepcopy(model.generation_config)
    return fresh.to(computing_dtype(model)).eval()


def _fresh(model: Any, config: Any) -> tuple[Any, set[str]]:
    """An untrained model of that config, and what of `model` has no place in it."""
    fresh = type(model)(config)
    return fresh, model.state_dict().keys() - fresh.state_dict().keys()


def check_baked(model: Any, spec: Steering, baked: Any, what: str = "baked") -> None:
    """Compare the logits of a model that holds a spec with those of the steered one.

    A large model of float32 rounds its logits by more than a small change: where they differ, both
    are computed again in float64, where nothing is left but the rounding of the weights.

    Raises:
        BadInputError: they differ by more than rounding explains.
    """
    dtype = computing_dtype(model)
    difference, effect, size = _compared(model, spec, baked.to(input_device(model), dtype))
    # Weights of 16 bits round away a part of a small change; a wrong model misses all of it.
    allowed = _SMALL if dtype == torch.float32 else max(_SMALL, 0.1 * effect)
    if difference > allowed and dtype == torch.float32:
        exact = deepcopy(model).double()
        difference, effect, size = _compared(exact, spec, deepcopy(baked).double())
        allowed = max(_SMALL, size * _ROUNDING)
    if difference > allowed:
        raise BadInputError(
            f"the {what} {model.config.model_type} model differs from the steered one by "
            f"{difference:.2g} in its logits, of {effect:.2g} that steering changes; the weights' "
            f"type {dtype} or this family does not hold it, steer through hooks"
        )


@torch.inference_mode()
def _compared(model: Any, spec: Steering, baked: Any) -> tuple[float, float, float]:
    """Largest difference of logits, change by steering, and logit, on some tokens."""
    vocabulary = model.config.get_text_config().vocab_size
    ids = torch.arange(1, 17, device=input_device(model)).unsqueeze(0) % vocabulary
    plain = model(input_ids=ids).logits
    with steer(model, spec):
        expected = model(input_ids=ids).logits
    found = baked.eval()(input_ids=ids).logits
    return (
        float((found - expected).abs().max()),
        float((expected - plain).abs().max()),
        float(expected.abs().max()),
    )
