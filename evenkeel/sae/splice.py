"""Put an SAE into a model's forward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.activations.capture import measure_sinks
from evenkeel.activations.sinks import first_tokens
from evenkeel.models.architecture import hidden_of, hook_target
from evenkeel.params import Sinks
from evenkeel.sae.loading import LoadedSae


@contextmanager
def replaced_stream(
    model: Any, sae: LoadedSae, by: Any, sinks: Sinks = "exclude"
) -> Iterator[None]:
    """Run a model with the stream at the SAE's place replaced.

    The first positions of each text, which the SAE was not trained on, and attention sinks stay as
    they are. Meant for whole texts that start at position 0, not for decoding with a cache.

    Args:
        model: a causal LM of transformers.
        sae: names the place.
        by: a function from the stream [texts, length, d_model] to another of its shape.
        sinks: whether attention sinks stay as they are.
    """
    first = max(sae.first_position, first_tokens(sinks))
    probe = measure_sinks(model, [sae.place])[sae.place] if sinks == "exclude" else None
    target = hook_target(model, sae.place)

    def replace(stream: Float[Tensor, "texts length d_model"]) -> Tensor:
        if first == 0:
            return torch.as_tensor(by(stream))
        later = stream[:, first:]
        new = by(later)
        if probe is not None:
            new = torch.where(probe(later)[..., None], later, new)
        return torch.cat([stream[:, :first], new], dim=1)

    def before(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (replace(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": replace(kwargs["hidden_states"])}

    def after(_module: Any, _args: Any, output: Any) -> Any:
        new = replace(hidden_of(output))
        return (new, *output[1:]) if isinstance(output, tuple) else new

    if target.side == "input":
        handle = target.module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = target.module.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


def reconstruct(
    sae: LoadedSae, stream: Float[Tensor, "*batch d_in"]
) -> Float[Tensor, "*batch d_in"]:
    """What the SAE explains of a stream, without the error, where the stream is."""
    sae = sae.on(stream.device)
    return sae.decode(sae.encode(stream), like=stream).to(stream.dtype)
