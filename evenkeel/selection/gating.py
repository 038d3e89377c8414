"""Gates fitted to prompts: open at what is stereotyped, shut at what is known by definition."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from evenkeel.activations.capture import Point, capture_texts
from evenkeel.errors import BadInputError
from evenkeel.conditions.candidates import Gating
from evenkeel.models.loading import LoadedModel
from evenkeel.params import GateKind
from evenkeel.probes.logistic import choose_c, scores
from evenkeel.steering.gates import BandGate, ProbeGate
from evenkeel.datasets.records import Prompt
from evenkeel.datasets.terms import find_term
from evenkeel.vectors.vector import SteeringVector

REGULARIZATION = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of C (inverse L2 strength) that a gate's probe is chosen from, on validation."""


@dataclass(frozen=True, eq=False)
class Words:
    """What the stream holds at each word of a split's prompts."""

    streams: dict[Point, Float[ndarray, "words width"]]
    stereotypical: Bool[ndarray, " words"]
    """Whether the word ends the term of a stereotypical prompt, or comes after it."""
    side: Int[ndarray, " words"]
    """1 where the same of a prompt that is female by definition, -1 if male, else 0."""
    ends_term: Bool[ndarray, " words"]


class GateFitter:
    """Fits the gates of vectors to the streams of the unsteered model.

    Fitted on train prompts; regularization and threshold are chosen on validation prompts, whose
    terms and templates are others. The test split is not looked at.

    Args:
        loaded: the model to steer.
        prompts: of one axis and all splits.
        vectors: whose layers and sites the gates read.
    """

    def __init__(
        self, loaded: LoadedModel, prompts: Sequence[Prompt], vectors: Sequence[SteeringVector]
    ) -> None:
        self._loaded, self._prompts, self._vectors = loaded, prompts, vectors
        self._at_terms: dict[Point, Gating] = {}

    def fit(self, kind: GateKind, vector: SteeringVector) -> Gating:
        """The gate of an ablation with `vector`, read where the vector acts.

        Known at terms: the middle, between those that are female and male by definition. No
        projection at all may lie to one side of it.

        Raises:
            BadInputError: the train or validation split lacks stereotypical or definitional
                prompts, or the vector has another width than the stream.
        """
        if kind == "none":
            return Gating()
        point = (vector.site, vector.layer)
        width = self._train.streams[point].shape[1]
        if len(vector.direction) != width:
            raise BadInputError(
                f"a vector at {vector.site} of layer {vector.layer} was made for a width of "
                f"{len(vector.direction)}, but this model has {width} there; compute the vectors "
                "again"
            )
        if kind == "band":
            return Gating((self._band(point, vector.direction),))
        if point not in self._at_terms:
            self._at_terms[point] = Gating((self._probe(point),), self._middle(point))
        return self._at_terms[point]

    @cached_property
    def _train(self) -> Words:
        return _words(self._loaded, self._prompts, "train", self._vectors)

    @cached_property
    def _validation(self) -> Words:
        return _words(self._loaded, self._prompts, "validation", self._vectors)

    def _band(self, point: Point, direction: Tensor) -> BandGate:
        """Around the mean of stereotypical prompts, from their terms on."""
        train, validation = (
            words.streams[point] @ direction.numpy() for words in (self._train, self._validation)
        )
        centre = float(train[self._train.stereotypical].mean())
        told = self._validation.stereotypical | (self._validation.side != 0)
        nearness = -np.abs(validation[told] - centre)
        bound = -best_cut(nearness, self._validation.stereotypical[told])
        return BandGate(direction, centre, bound)

    def _probe(self, point: Point) -> ProbeGate:
        """Of the terms of stereotypical prompts, against every other word."""
        train, validation = (
            (words.streams[point], words.stereotypical & words.ends_term)
            for words in (self._train, self._validation)
        )
        _, (weight, bias) = choose_c(train, validation, REGULARIZATION)
        threshold = best_cut(scores(validation[0], (weight, bias)), validation[1])
        return ProbeGate(torch.from_numpy(weight), bias, threshold)

    def _middle(self, point: Point) -> Tensor:
        terms = self._train.streams[point][self._train.ends_term]
        side = self._train.side[self._train.ends_term]
        return torch.from_numpy((terms[side > 0].mean(axis=0) + terms[side < 0].mean(axis=0)) / 2)


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


def _words(
    loaded: LoadedModel, prompts: Sequence[Prompt], split: str, vectors: Sequence[SteeringVector]
) -> Words:
    rows: dict[str, tuple[bool, int, bool]] = {}
    for prompt in prompts:
        if prompt.split == split:
            rows |= dict(_beginnings(prompt))
    stereotypical, side, ends_term = np.array(list(rows.values()), dtype=np.int64).reshape(-1, 3).T
    if not (stereotypical.any() and (side > 0).any() and (side < 0).any()):
        raise BadInputError(
            f"the {split} split lacks stereotypical prompts, or definitional ones of a side, which "
            "gates are fitted to; give it some of each, or set evaluation.gates to [none]"
        )
    sites = sorted({vector.site for vector in vectors})
    layers = sorted({vector.layer for vector in vectors})
    streams = capture_texts(loaded, list(rows), sites, layers)
    return Words(streams, stereotypical.astype(bool), side, ends_term.astype(bool))


def _beginnings(prompt: Prompt) -> Iterator[tuple[str, tuple[bool, int, bool]]]:
    """The prompt up to each of its words, and whether that one is what `Words` asks."""
    place = find_term(prompt.text, prompt.term)
    if place is None:
        raise BadInputError(
            f"prompt {prompt.id}: its text does not hold its term {prompt.term!r}, at which gates "
            "are fitted; correct it, or set evaluation.gates to [none]"
        )
    term_end = place.stop
    spaces = {index for index, letter in enumerate(prompt.text) if letter == " "}
    for end in sorted(spaces | {term_end, len(prompt.text)}):
        told = end >= term_end
        stereotypical = told and prompt.kind == "stereotypical"
        side = {"female": 1, "male": -1, None: 0}[prompt.expected] if told else 0
        yield prompt.text[:end], (stereotypical, side, end == term_end)
