"""Which columns of the text a forward pass computes, and where in them edits are allowed."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import architecture_of
from evenkeel.steering.intervention import Positions


@dataclass
class Pass:
    """One forward pass of the model, as far as positions depend on it.

    Columns are counted over the whole text with its padding, so that a column keeps its number
    whether it is computed in one pass, on top of a KV cache, or again and again without one.
    """

    rows: int
    start: int
    """Column of the first position computed: how many the KV cache holds."""
    stop: int
    """One past the last column computed."""
    prompt: int
    """Columns of the prompt; those after it are generated."""
    input_ids: Tensor | None
    first: Callable[[], Tensor]
    """Column of each row's first real token, [rows]."""
    last: Callable[[], Tensor]
    """Column of each row's last real token of the prompt, [rows]."""
    mask: Tensor | None
    """Bool [texts, columns] over the prompt; beams and samples of a text share its row."""
    device: torch.device
    _found: dict[str, bool | Tensor] = field(default_factory=dict)

    def at(self, positions: Positions) -> bool | Bool[Tensor, "#batch position"]:
        """Where of the columns computed `positions` allows an edit: everywhere, nowhere, a mask."""
        if positions not in self._found:
            self._found[positions] = self._find(positions)
        return self._found[positions]

    def from_token(self, number: int) -> Bool[Tensor, "batch position"]:
        """Which columns computed are token `number` of their text, from 0, or a later one."""
        columns = torch.arange(self.start, self.stop, device=self.device).unsqueeze(0)
        return columns - self.first().to(self.device).unsqueeze(1) >= number

    def _find(self, positions: Positions) -> bool | Tensor:
        in_prompt, generated = self.stop <= self.prompt, self.start >= self.prompt
        columns = torch.arange(self.start, self.stop, device=self.device).unsqueeze(0)
        match positions:
            case "all":
                return True
            case "prompt":
                return in_prompt or (not generated and columns < self.prompt)
            case "generated":
                return generated or (not in_prompt and columns >= self.prompt)
            case "last":
                if generated:
                    return True
                last = self.last().to(self.device).unsqueeze(1)
                return (columns == last) | (columns >= self.prompt)
            case "mask":
                return self._masked()

    def _masked(self) -> bool | Tensor:
        if self.mask is None:
            raise BadInputError(
                "an intervention acts at positions='mask', but no mask was given; pass "
                "steer(..., mask=...) of shape [texts, columns of the prompt]"
            )
        texts, width = self.mask.shape
        if self.rows % texts or (self.start == 0 and width > self.prompt):
            raise BadInputError(
                f"the mask has shape {[texts, width]}, but the model was given {self.rows} texts "
                f"of {self.prompt} columns; it must have a row for each text and no column more"
            )
        if self.start >= width:
            return False
        keep = self.mask[:, self.start : self.stop].to(self.device)
        keep = nn.functional.pad(keep, (0, self.stop - self.start - keep.shape[1]))
        return keep.repeat_interleave(self.rows // texts, dim=0)


class PositionTracker:
    """Keeps `current`, the forward pass that a model is in, while `watching` it."""

    def __init__(self, mask: Bool[Tensor, "texts column"] | None = None) -> None:
        if mask is not None and (mask.dim() != 2 or mask.dtype != torch.bool):
            raise BadInputError(
                f"mask has shape {list(mask.shape)} and type {mask.dtype}; it must be boolean, "
                "[texts, columns of the prompt]"
            )
        self._mask = mask
        self._prompt: int | None = None  # columns handed to the `generate` that is running
        self._current: Pass | None = None

    @property
    def current(self) -> Pass:
        """The forward pass that is running."""
        assert self._current is not None, "a block ran outside the module that holds it"
        return self._current

    @contextmanager
    def watching(self, model: Any) -> Iterator[None]:
        """Follow the model's forward passes and its `generate`.

        The pass is read off the module that holds the blocks, which every way of calling the model
        goes through. `generate` is shadowed on the instance because nothing that it hands to a
        forward pass tells where the prompt ended: with assisted decoding the first pass already
        holds candidates, without a cache every pass holds the whole text.
        """
        holder = model.get_submodule(architecture_of(model).blocks_path.rpartition(".")[0])
        names = list(inspect.signature(type(holder).forward).parameters)[1:]
        shadowed = vars(model).get("generate")
        generate = model.generate

        @wraps(generate)
        def followed(*args: Any, **kwargs: Any) -> Any:
            if self._prompt is not None:  # a model that drafts for itself: the prompt stays
                return generate(*args, **kwargs)
            self._prompt = _prompt_columns(args, kwargs)
            try:
                return generate(*args, **kwargs)
            finally:
                self._prompt = None

        def begin(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._current = self._pass(**dict(zip(names, args, strict=False)), **kwargs)

        handle = holder.register_forward_pre_hook(begin, with_kwargs=True)
        try:
            model.generate = followed
            yield
        finally:
            handle.remove()
            if shadowed is None:
                vars(model).pop("generate", None)
            else:
                model.generate = shadowed
            self._current = None

    def _pass(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Any = None,
        past_key_values: Any = None,
        **_others: Any,
    ) -> Pass:
        given = input_ids if input_ids is not None else inputs_embeds
        if given is None:
            raise BadInputError(
                "the model runs its blocks without input_ids and without inputs_embeds, so that "
                "positions cannot be told apart; act at all positions of this model"
            )
        rows, columns = given.shape[:2]
        start = int(past_key_values.get_seq_length()) if past_key_values is not None else 0
        stop = start + columns
        if self._prompt is not None:
            prompt = self._prompt
            # `generate` predicts from the last column, whatever the padding.
            last = lambda: torch.full((rows,), prompt - 1)  # noqa: E731
        else:
            prompt = start or stop
            last = lambda: _last_real(attention_mask, rows, stop)  # noqa: E731
        first = lambda: _first_real(attention_mask, rows)  # noqa: E731
        return Pass(rows, start, stop, prompt, input_ids, first, last, self._mask, given.device)


def _prompt_columns(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Columns of the prompt that `generate` is called with; it adds a BOS token to no prompt."""
    given = [*args[:1], kwargs.get("inputs"), kwargs.get("input_ids"), kwargs.get("inputs_embeds")]
    return max((tensor.shape[1] for tensor in given if tensor is not None), default=1)


def _first_real(attention_mask: Any, rows: int) -> Tensor:
    if attention_mask is None:
        return torch.zeros(rows, dtype=torch.long)
    return _by_token(attention_mask, "leaves the first tokens alone").long().argmax(dim=1)


def _last_real(attention_mask: Any, rows: int, columns: int) -> Tensor:
    if attention_mask is None:
        return torch.full((rows,), columns - 1)
    real = _by_token(attention_mask, "acts at positions='last'")
    return (real * torch.arange(1, columns + 1, device=real.device)).argmax(dim=1)


def _by_token(attention_mask: Any, what: str) -> Tensor:
    """The attention mask as a boolean [texts, columns]."""
    if not isinstance(attention_mask, Tensor) or attention_mask.dim() != 2:
        raise BadInputError(
            f"an intervention {what}, which needs an attention_mask of shape [texts, columns]; "
            "pass that one"
        )
    return attention_mask.bool()
