"""Logits of chosen places of a batch, few enough at a time to be held in memory.

A batch of 8,192 tokens has 8.6 GB of float32 logits over a vocabulary of 262,144, and whoever
normalizes them holds that twice or three times. So the blocks run once, and the unembedding on some
places after the others.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from evenkeel.models.architecture import architecture_of
from evenkeel.models.devices import input_device

LOGITS_AT_ONCE = 1 << 27
"""Logits in memory at a time: 512 MiB in float32."""


def rows_of_logits(model: Any) -> int:
    """Places whose logits are held at a time, at least one."""
    vocabulary = model.config.get_text_config().vocab_size
    return max(1, LOGITS_AT_ONCE // int(vocabulary))


def logits_at(
    model: Any,
    inputs: dict[str, Tensor],
    row: Int[Tensor, " places"],
    column: Int[Tensor, " places"],
) -> Float[Tensor, "places vocab"]:
    """Logits of a padded batch at some places, all of them at once.

    Where the model has an unembedding of its own, that runs on these places only.
    """
    device = input_device(model)
    batch = {name: tensor.to(device) for name, tensor in inputs.items()}
    unembedding = _own_unembedding(model)
    with (
        unembedding.register_forward_pre_hook(lambda _module, args: args[0][row, column])
        if unembedding is not None
        else nullcontext()
    ):
        logits: Tensor = model(**batch, use_cache=False).logits
    # A model may have an unembedding that it does not call.
    return logits if logits.dim() == 2 else logits[row, column]


def logits_in_parts(
    model: Any,
    inputs: dict[str, Tensor],
    row: Int[Tensor, " places"],
    column: Int[Tensor, " places"],
) -> Iterator[tuple[slice, Float[Tensor, "part vocab"]]]:
    """`logits_at`, some places after the others; the blocks run once.

    Each part has to be reduced before the next is asked for. Whatever the model does after its
    unembedding (a soft cap, a scale) is done.

    Yields:
        Which of the places, and their logits.
    """
    size = rows_of_logits(model)
    if len(row) <= size or _own_unembedding(model) is None:
        # Nothing to divide, or nothing that could be run on a part.
        logits = logits_at(model, inputs, row, column)
        for start in range(0, len(row), size):
            yield slice(start, start + size), logits[start : start + size]
        return
    holder = model.get_submodule(architecture_of(model).blocks_path.rpartition(".")[0])
    with _kept_output(holder) as keep:
        for start in range(0, len(row), size):
            part = slice(start, start + size)
            yield part, logits_at(model, inputs, row[part], column[part])
            if holder is not model:  # which returns logits, and those of one part
                keep()


@contextmanager
def _kept_output(module: nn.Module) -> Iterator[Callable[[], None]]:
    """Yield a function after whose call the module returns what it did, without computing it."""
    outputs: list[Any] = []
    handle = module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    shadowed = vars(module).get("forward")

    def keep() -> None:
        output = outputs[0]
        del outputs[1:]
        module.forward = lambda *_args, **_kwargs: output

    try:
        yield keep
    finally:
        handle.remove()
        if shadowed is not None:  # another tool had wrapped it
            module.forward = shadowed
        else:
            vars(module).pop("forward", None)


def _own_unembedding(model: Any) -> Any:
    """The unembedding, if it is a module of its own and not the embedding itself."""
    unembedding = getattr(model, "get_output_embeddings", lambda: None)()
    if unembedding is None or unembedding is model.get_input_embeddings():
        return None
    return unembedding
