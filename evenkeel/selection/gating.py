"""Gates fitted to prompts: open at what is stereotyped, shut at what is known by definition."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from evenkeel.activations.capture import capture_beginnings, past_first_token
from evenkeel.conditions.vector import Gating, Vectors
from evenkeel.datasets.records import Prompt
from evenkeel.datasets.terms import item_place
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.models.token_count import counted_tokens
from evenkeel.params import GateKind
from evenkeel.probes.logistic import choose_c, scores
from evenkeel.steering.gates import BandGate, ProbeGate

REGULARIZATION = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of C (inverse L2 strength) that a gate's probe is chosen from, on validation."""


@dataclass(frozen=True, eq=False)
class WordStreams:
    """The residual stream at each word of a split's prompts."""

    streams: dict[HookPoint, Float[ndarray, "words width"]]
    stereotypical: Bool[ndarray, " words"]
    """Whether the word ends the item of a stereotypical prompt, or comes after it."""
    group: Int[ndarray, " words"]
    """Index of the right group where the same of a definitional prompt, else -1."""
    ends_item: Bool[ndarray, " words"]
    tokens: int
    """That the model read for them."""


class GateFitter:
    """Fits the gates of vectors to the residual streams of the unsteered model.

    Fitted on train prompts; regularization and threshold are chosen on validation prompts, whose
    items and templates are others. The test split is not looked at.

    Args:
        loaded: the model to steer.
        prompts: of one axis and all splits; those that name their item are read.
        points: where gates are asked for.
    """

    def __init__(
        self, loaded: LoadedModel, prompts: Sequence[Prompt], points: Sequence[HookPoint]
    ) -> None:
        self._loaded, self._points = loaded, points
        self._prompts = [p for p in prompts if p.direction == "group_given_item"]
        self._at_items: dict[HookPoint, Gating] = {}

    def fit(self, kind: GateKind, vectors: Vectors) -> Gating:
        """The gating of an ablation with the vectors of one hook point, read where they act.

        Known at items: the midpoint, between those that belong to each group by definition. No
        projection at all may lie to one side of it.

        Raises:
            BadInputError: the train or validation split lacks stereotypical or definitional
                prompts, or a vector has another width than the residual stream.
        """
        if kind == "none":
            return Gating()
        vector = vectors[0]
        point = vector.point
        width = self._train.streams[point].shape[1]
        if len(vector.direction) != width:
            raise BadInputError(
                f"a vector at {vector.site} of layer {vector.layer} was made for a width of "
                f"{len(vector.direction)}, but this model has {width} there; compute the vectors "
                "again"
            )
        if kind == "band":
            return Gating((self._band(point, vector.direction),), tokens_read=self._tokens)
        return self.at_items(point)

    def at_items(self, point: HookPoint) -> Gating:
        """The gating of kind probe of any intervention at a hook point; errors as of `fit`."""
        if point not in self._at_items:
            self._at_items[point] = Gating(
                (self._probe(point),), self._midpoint(point), self._tokens
            )
        return self._at_items[point]

    @cached_property
    def _train(self) -> WordStreams:
        return _word_streams(self._loaded, self._prompts, "train", self._points)

    @cached_property
    def _validation(self) -> WordStreams:
        return _word_streams(self._loaded, self._prompts, "validation", self._points)

    @property
    def _tokens(self) -> int:
        return self._train.tokens + self._validation.tokens

    def _band(self, point: HookPoint, direction: Tensor) -> BandGate:
        """Around the mean of stereotypical prompts, from their items on."""
        train, validation = (
            words.streams[point] @ direction.numpy() for words in (self._train, self._validation)
        )
        centre = float(train[self._train.stereotypical].mean())
        rows = self._validation.stereotypical | (self._validation.group >= 0)
        nearness = -np.abs(validation[rows] - centre)
        bound = -best_cut(nearness, self._validation.stereotypical[rows])
        return BandGate(direction, centre, bound)

    def _probe(self, point: HookPoint) -> ProbeGate:
        """Of the items of stereotypical prompts, against every other word."""
        train, validation = (
            (words.streams[point], words.stereotypical & words.ends_item)
            for words in (self._train, self._validation)
        )
        _, (weight, bias) = choose_c(train, validation, REGULARIZATION)
        threshold = best_cut(scores(validation[0], (weight, bias)), validation[1])
        return ProbeGate(torch.from_numpy(weight), bias, threshold)

    def _midpoint(self, point: HookPoint) -> Tensor:
        rows = self._train.ends_item & (self._train.group >= 0)
        streams, group = self._train.streams[point][rows], self._train.group[rows]
        means = [streams[group == index].mean(axis=0) for index in sorted(set(group))]
        return torch.from_numpy(np.mean(means, axis=0))


def best_cut(values: Float[ndarray, " rows"], positive: Bool[ndarray, " rows"]) -> float:
    """The threshold over which positives lie, and no others, at the best balanced accuracy.

    Halfway between the two values that it separates; of equals the lowest.

    Args:
        values: higher is more positive.
        positive: the classes; both occur.
    """
    order = np.argsort(values, kind="stable")
    ranked, hits = values[order], positive[order]
    kept = 1 - np.cumsum(hits) / hits.sum()
    left_out = np.cumsum(~hits) / (~hits).sum()
    balanced = (kept + left_out)[:-1]
    balanced[ranked[1:] == ranked[:-1]] = -np.inf  # no threshold lies between equals
    best = int(balanced.argmax())
    return float((ranked[best] + ranked[best + 1]) / 2)


def _word_streams(
    loaded: LoadedModel, prompts: Sequence[Prompt], split: str, points: Sequence[HookPoint]
) -> WordStreams:
    rows: dict[str, tuple[bool, int, bool]] = {}
    for prompt in prompts:
        if prompt.split == split and prompt.kind in ("stereotypical", "definitional"):
            rows |= dict(_beginnings(prompt))
    rows = {text: rows[text] for text in past_first_token(loaded, list(rows))}
    of_rows = np.array(list(rows.values()), dtype=np.int64).reshape(-1, 3)
    stereotypical, group, ends_item = of_rows.T
    groups = {group for prompt in prompts for group in prompt.groups}
    if not stereotypical.any() or set(group[group >= 0]) != set(range(len(groups))):
        raise BadInputError(
            f"the {split} split lacks stereotypical prompts, or definitional ones of a group, that "
            "gates are fitted to; give it some of each, or set evaluation.gates to [none]"
        )
    sites = sorted({point.site for point in points})
    layers = sorted({point.layer for point in points})
    with counted_tokens(loaded.model) as read:
        streams = capture_beginnings(loaded, list(rows), sites, layers)
    return WordStreams(
        streams, stereotypical.astype(bool), group, ends_item.astype(bool), read.tokens
    )


def _beginnings(prompt: Prompt) -> Iterator[tuple[str, tuple[bool, int, bool]]]:
    """The prompt up to each of its words, and whether that one is what `WordStreams` says."""
    text = prompt.lead_in + prompt.text
    place = item_place(
        prompt, "at which gates are fitted; correct it, or set evaluation.gates to [none]"
    )
    item_end = len(prompt.lead_in) + place.stop
    spaces = {space.start() for space in re.finditer(" ", text.rstrip())}
    for end in sorted(spaces | {item_end, len(text)}):
        reached = end >= item_end
        stereotypical = reached and prompt.kind == "stereotypical"
        known = reached and prompt.expected is not None
        group = prompt.groups.index(str(prompt.expected)) if known else -1
        yield text[:end], (stereotypical, group, end == item_end)
