"""Which columns of the text a forward pass computes, and where in them edits are allowed."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    _found: dict[tuple[str, int, torch.device], bool | Tensor] = field(default_factory=dict)

    def allowed(
        self, positions: Positions, first: int, device: torch.device
    ) -> bool | Bool[Tensor, "#batch position"]:
        """Where of the columns computed an edit may be: everywhere, nowhere, or at a mask.

        The mask is on `device`: blocks of one model may lie on several.

        Args:
            positions: that allow an edit.
            first: tokens at the start of each text that are left alone.
            device: of the residual stream.
        """
        key = (positions, first, device)
        if key not in self._found:
            keep = self._find(positions, device)
            if first and keep is not False:
                keep = keep & self._find_from(first, device)
            self._found[key] = keep
        return self._found[key]

    def _find_from(self, number: int, device: torch.device) -> bool | Tensor:
        if number <= 1 and self.start >= self.prompt:
            return True  # at least one real token stands in the prompt
        return self._columns(device) - self.first().to(device).unsqueeze(1) >= number

    def _columns(self, device: torch.device) -> Tensor:
        return torch.arange(self.start, self.stop, device=device).unsqueeze(0)

    def _find(self, positions: Positions, device: torch.device) -> bool | Tensor:
        in_prompt, generated = self.stop <= self.prompt, self.start >= self.prompt
        match positions:
            case "all":
                return True
            case "prompt":
                return in_prompt or (not generated and self._columns(device) < self.prompt)
            case "generated":
                return generated or (not in_prompt and self._columns(device) >= self.prompt)
            case "last":
                if generated:
                    return True
                last, columns = self.last().to(device).unsqueeze(1), self._columns(device)
                return (columns == last) | (columns >= self.prompt)
            case "mask":
                return self._masked(device)

    def _masked(self, device: torch.device) -> bool | Tensor:
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
        keep = self.mask[:, self.start : self.stop].to(device)
        keep = nn.functional.pad(keep, (0, self.stop - self.start - keep.shape[1]))
        return keep.repeat_interleave(self.rows // texts, dim=0)


def allows_all_generated(positions: Positions, first: int) -> bool:
    """Whether a pass that computes generated positions only is edited at all of them.

    Args:
        positions: that allow an edit.
        first: tokens at the start of each text that are left alone; one stands in the prompt.
    """
    return positions in ("all", "generated", "last") and first <= 1


class PositionTracker:
    """Keeps `current`, the forward pass that a model is in, while `watching` it."""

    generates: bool = False
    """Whether that pass computes generated positions only."""

    def __init__(self, mask: Bool[Tensor, "texts column"] | None = None) -> None:
        if mask is not None and (mask.dim() != 2 or mask.dtype != torch.bool):
            raise BadInputError(
                f"mask has shape {list(mask.shape)} and type {mask.dtype}; it must be boolean, "
                "[texts, columns of the prompt]"
            )
        self._mask = mask
        self._prompt: int | None = None  # columns handed to the `generate` that is running
        self._prompt_mask: Any = None  # attention mask handed to it
        self._outer: Mapping[str, Any] | None = None  # arguments of the model that is running
        self._begun: Callable[[], Pass] | None = None
        self._current: Pass | None = None

    @property
    def current(self) -> Pass:
        """The forward pass that is running; made when it is asked for first, as few of them are."""
        if self._current is None:
            assert self._begun is not None, "a block ran outside the module that holds it"
            self._current = self._begun()
        return self._current

    @contextmanager
    def watching(self, model: Any) -> Iterator[None]:
        """Follow the model's forward passes and its `generate`.

        The pass is read off the module that holds the blocks, which every way of calling the model
        goes through. `generate` is shadowed on the instance because nothing that it hands to a
        forward pass tells where the prompt ended: with assisted decoding the first pass already
        holds candidates, without a cache every pass holds the whole text. The attention mask by
        token is what the module is given, or the whole model, or `generate`, whichever still has
        it: a multimodal wrapper, or a static cache, hands on masks of another shape. So are the
        token ids: the encoder of BERT is given the residual stream.
        """
        holder = model.get_submodule(architecture_of(model).blocks_path.rpartition(".")[0])
        names = list(inspect.signature(type(holder).forward).parameters)[1:]
        outer_names = list(inspect.signature(type(model).forward).parameters)[1:]
        shadowed = vars(model).get("generate")
        generate = model.generate

        @wraps(generate)
        def followed(*args: Any, **kwargs: Any) -> Any:
            if self._prompt is not None:  # a model that drafts for itself: the prompt stays
                return generate(*args, **kwargs)
            self._prompt = _prompt_columns(args, kwargs)
            self._prompt_mask = kwargs.get("attention_mask")
            try:
                return generate(*args, **kwargs)
            finally:
                self._prompt = self._prompt_mask = None

        def begin(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._begin(_by_name(names, args, kwargs))

        def enter(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._outer = _by_name(outer_names, args, kwargs)

        def leave(*_: Any) -> None:
            self._outer = None

        handles = [
            holder.register_forward_pre_hook(begin, with_kwargs=True),
            model.register_forward_pre_hook(enter, with_kwargs=True),
            model.register_forward_hook(leave, always_call=True),
        ]
        try:
            model.generate = followed
            yield
        finally:
            for handle in handles:
                handle.remove()
            if shadowed is None:
                vars(model).pop("generate", None)
            else:
                model.generate = shadowed
            self._begun = self._current = None

    def _begin(self, given: Mapping[str, Any]) -> None:
        """Begin the pass that the arguments of the module which holds the blocks tell of."""
        input_ids, past = given.get("input_ids"), given.get("past_key_values")
        tensor = input_ids
        for name in ("inputs_embeds", "hidden_states"):
            tensor = given.get(name) if tensor is None else tensor
        if tensor is None:
            raise BadInputError(
                "the model runs its blocks without input_ids, inputs_embeds and hidden_states, so "
                "that positions cannot be told apart; act at all positions of this model, with "
                "sinks='include'"
            )
        rows, columns = tensor.shape[:2]
        if input_ids is None and self._outer is not None:
            outer_ids = self._outer.get("input_ids")
            if outer_ids is not None and outer_ids.shape == (rows, columns):
                input_ids = outer_ids
        start = int(past.get_seq_length()) if past is not None else 0
        self.begin(rows, start, columns, given.get("attention_mask"), input_ids)

    def begin(
        self,
        rows: int,
        start: int,
        columns: int,
        attention_mask: Any = None,
        input_ids: Tensor | None = None,
    ) -> None:
        """Begin a forward pass of `columns` columns behind the `start` that a cache holds."""
        stop, outer = start + columns, self._outer
        prompt = (start or stop) if self._prompt is None else self._prompt

        def made() -> Pass:
            outer_mask = (outer or {}).get("attention_mask")
            masks = (attention_mask, outer_mask, self._prompt_mask)
            # A model that was given no mask may make one of another shape for its blocks.
            left = attention_mask if outer is None or outer_mask is not None else None
            by_token = next((mask for mask in masks if _is_by_token(mask)), left)
            if self._prompt is None:
                last = lambda: _last_real(by_token, rows, stop)  # noqa: E731
            else:  # `generate` predicts from the last column, whatever the padding
                last = lambda: torch.full((rows,), prompt - 1)  # noqa: E731
            first = lambda: _first_real(by_token, rows)  # noqa: E731
            return Pass(rows, start, stop, prompt, input_ids, first, last, self._mask)

        self._begun, self._current = made, None
        self.generates = start >= prompt


def _by_name(
    names: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Mapping[str, Any]:
    """The arguments of a call, those without a name under theirs."""
    return dict(zip(names, args, strict=False)) | kwargs if args else kwargs


def _prompt_columns(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Columns of the prompt that `generate` is called with; it adds a BOS token to no prompt."""
    given = [*args[:1], kwargs.get("inputs"), kwargs.get("input_ids"), kwargs.get("inputs_embeds")]
    return max((tensor.shape[1] for tensor in given if tensor is not None), default=1)


def _first_real(attention_mask: Any, rows: int) -> Tensor:
    if attention_mask is None:
        return torch.zeros(rows, dtype=torch.long)
    real = _by_token(
        attention_mask, "leaves the first token of each text alone (sinks='include' does not)"
    )
    # Beams and samples of a text share its row of the mask that `generate` was given.
    return real.long().argmax(dim=1).repeat_interleave(rows // len(real))


def _last_real(attention_mask: Any, rows: int, columns: int) -> Tensor:
    if attention_mask is None:
        return torch.full((rows,), columns - 1)
    real = _by_token(attention_mask, "acts at positions='last'")
    return (real * torch.arange(1, columns + 1, device=real.device)).argmax(dim=1)


def _by_token(attention_mask: Any, what: str) -> Tensor:
    """The attention mask as a boolean [texts, columns]."""
    if not _is_by_token(attention_mask):
        raise BadInputError(
            f"an intervention {what}, which needs an attention_mask of shape [texts, columns]; "
            "pass that one"
        )
    by_token: Tensor = attention_mask.bool()
    return by_token


def _is_by_token(attention_mask: Any) -> bool:
    return isinstance(attention_mask, Tensor) and attention_mask.dim() == 2
