"""Texts that are generated together: rows come and go between forward passes.

transformers' own continuous batching packs the tokens of all requests into one row, where hooks
cannot tell one request from another; here each text keeps a row of its own, padded on the left.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from evenkeel.errors import BadInputError
from evenkeel.models.batching import padded
from evenkeel.models.devices import input_device
from evenkeel.steering.hooks import RowSteering
from evenkeel.steering.row_sampling import RowSampler
from evenkeel.steering.rows import RowSpec


@dataclass(eq=False)
class Row:
    """One text."""

    prompt: Sequence[int]
    steering: RowSpec
    sampler: RowSampler
    top_logprobs: int | None = None
    """How many alternatives to tell the log-probabilities of; None tells none at all."""
    ids: list[int] = field(default_factory=list)
    """Generated so far."""


@dataclass(frozen=True)
class Drawn:
    """A row's next token."""

    token: int
    logprob: float | None = None
    """Under the steered model at temperature 1; None where the row does not ask."""
    top: tuple[tuple[int, float], ...] = ()
    """The most probable tokens and their log-probabilities."""


class RowBatch:
    """The rows that run, and their KV cache.

    Call it in one thread, within `steer_rows`.
    """

    def __init__(self, model: Any, steering: RowSteering, pad: int = 0) -> None:
        """Take a model and what steers its rows.

        Args:
            model: a causal LM of transformers.
            steering: of the model.
            pad: any token.
        """
        self.rows: list[Row] = []
        self._model = model
        self._steering = steering
        self._pad = pad
        self._device = input_device(model)
        names = inspect.signature(type(model).forward).parameters
        self._takes = {name for name in ("position_ids", "logits_to_keep") if name in names}
        self._cache: Any = None
        self._mask: Int[Tensor, "rows columns"] = torch.empty(0, 0, dtype=torch.long)
        self._assigned = False

    @torch.inference_mode()
    def admit(self, rows: Sequence[Row]) -> list[Drawn]:
        """Read the prompts of new rows and draw their first tokens; they run from then on.

        Raises:
            BadInputError: the steering of a row does not fit the model, or the model's cache cannot
                be put together from those of single texts. No row is admitted then.
        """
        prompts = [row.prompt for row in rows]
        ids, mask = padded(prompts, pad=self._pad, left=True, device=self._device).values()
        self._steering.assign([row.steering for row in rows])
        logits, cache = self._forward(ids, mask, None)
        drawn = _draw(rows, logits)
        self._join(cache, mask)
        self.rows += rows
        self._assigned = False
        return drawn

    @torch.inference_mode()
    def step(self) -> list[Drawn]:
        """Draw the next token of every row, in the order of `rows`."""
        if not self._assigned:
            self._steering.assign([row.steering for row in self.rows])
            self._assigned = True
        last = torch.tensor([[row.ids[-1]] for row in self.rows], device=self._device)
        self._mask = nn.functional.pad(self._mask, (0, 1), value=1)
        logits, self._cache = self._forward(last, self._mask, self._cache)
        return _draw(self.rows, logits)

    def keep(self, rows: Sequence[Row]) -> None:
        """Let all other rows go."""
        kept = {id(row) for row in rows}
        indices = [index for index, row in enumerate(self.rows) if id(row) in kept]
        if len(indices) == len(self.rows):
            return
        self.rows = [self.rows[index] for index in indices]
        self._assigned = False
        if not self.rows:
            self._cache = None
            return
        self._mask = self._mask[indices]
        first = int(self._mask.any(0).long().argmax())  # columns before it are padding in all rows
        self._mask = self._mask[:, first:]
        for layer in _layers(self._cache):
            layer.keys = layer.keys[indices, :, first:]
            layer.values = layer.values[indices, :, first:]

    def pause(self) -> None:
        """Steer no row until the next step, so that the model can be used for something else."""
        self._steering.assign([])
        self._assigned = False

    def _forward(
        self, ids: Int[Tensor, "rows new"], mask: Int[Tensor, "rows columns"], cache: Any
    ) -> tuple[Float[Tensor, "rows vocab"], Any]:
        from transformers import DynamicCache

        given: dict[str, Any] = {}
        if "position_ids" in self._takes:
            places = (mask.cumsum(1) - 1).clamp(min=0)
            given["position_ids"] = places[:, -ids.shape[1] :]
        if "logits_to_keep" in self._takes:
            given["logits_to_keep"] = 1
        # Without the model's config, layers of a sliding window keep all they read, as the mask of
        # the window needs where rows of different lengths are joined.
        cache = DynamicCache() if cache is None else cache
        output = self._model(
            input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **given
        )
        return output.logits[:, -1], output.past_key_values

    def _join(self, cache: Any, mask: Int[Tensor, "rows columns"]) -> None:
        """Put a cache below the one that there is, both padded on the left to the longer."""
        new = _layers(cache)
        if self._cache is None:
            self._cache, self._mask = cache, mask
            return
        columns = max(self._mask.shape[1], mask.shape[1])
        for old, other in zip(_layers(self._cache), new, strict=True):
            old.keys = _below(old.keys, other.keys, columns, dim=2)
            old.values = _below(old.values, other.values, columns, dim=2)
        self._mask = _below(self._mask, mask, columns, dim=1)


def _below(upper: Tensor, lower: Tensor, columns: int, *, dim: int) -> Tensor:
    """Rows below rows, columns of zeros put before those that have fewer than `columns`."""
    after = (0, 0) * (upper.dim() - 1 - dim)
    wide = [
        nn.functional.pad(part, (*after, columns - part.shape[dim], 0)) for part in (upper, lower)
    ]
    return torch.cat(wide)


def _layers(cache: Any) -> list[Any]:
    """The layers of a cache of attention keys and values, one row a text.

    Raises:
        BadInputError: it is another kind of cache.
    """
    from transformers.cache_utils import DynamicLayer

    layers = getattr(cache, "layers", [])
    if not layers or any(type(layer) is not DynamicLayer for layer in layers):
        raise BadInputError(
            "this model remembers its text otherwise than by keys and values of attention, so that "
            "texts cannot join a running batch; it cannot be served"
        )
    return list(layers)


def _draw(rows: Sequence[Row], logits: Float[Tensor, "rows vocab"]) -> list[Drawn]:
    """The next token of each row, which is appended to its `ids`."""
    best = logits.argmax(-1).tolist()
    drawn = []
    for row, scores, token in zip(rows, logits, best, strict=True):
        if not row.sampler.greedy:
            token = int(row.sampler.scores(scores).argmax())
        row.ids.append(token)
        drawn.append(_told(row, scores, token))
    return drawn


def _told(row: Row, logits: Float[Tensor, " vocab"], token: int) -> Drawn:
    if row.top_logprobs is None:
        return Drawn(token)
    logprobs = logits.float().log_softmax(-1)
    top = logprobs.topk(min(row.top_logprobs, len(logprobs)))
    pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    return Drawn(token, float(logprobs[token]), tuple(pairs))
