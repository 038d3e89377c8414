"""How tokens are chosen in generation: as is asked, whatever a model's own settings say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CHOOSES_NOTHING = ("transformers_version", "_from_model_config")


@contextmanager
def plain_decoding(model: Any, tokenizer: Any) -> Iterator[None]:
    """Let the arguments of `model.generate` alone decide while the block runs.

    A model's generation_config.json may hold a repetition penalty, beams, tokens never to be
    written, and more, which `generate` takes for every argument that it is not given; greedy is
    then not greedy. Here the whole configuration is replaced, but for the tokens that end a text:
    those that it names, or else the tokenizer's.

    Args:
        model: of transformers, or one of nnsight around it.
        tokenizer: of the model.
    """
    from transformers import GenerationConfig

    owner = _owner(model)
    own = owner.generation_config
    end = end_tokens(model, tokenizer)
    owner.generation_config = GenerationConfig(eos_token_id=list(end) or None)
    try:
        yield
    finally:
        owner.generation_config = own


def end_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """The tokens that end a text: those of the generation_config.json, or else the tokenizer's."""
    end = _owner(model).generation_config.eos_token_id
    if end is None:
        end = tokenizer.eos_token_id
    if end is None:
        return ()
    return (end,) if isinstance(end, int) else tuple(end)


def ignored_settings(model: Any) -> dict[str, Any]:
    """Settings of a model's generation_config.json that `plain_decoding` leaves out, by name."""
    return {
        name: value
        for name, value in _owner(model).generation_config.to_dict().items()
        if value not in (None, 0, 1)  # off, or without effect
        and not name.endswith("_token_id")
        and name not in _CHOOSES_NOTHING
    }


def _owner(model: Any) -> Any:
    """The model of transformers, which one of nnsight stands around."""
    return getattr(model, "_module", model)
