"""Gates that open at a stereotyped item and at what follows it, and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from evenkeel.activations.capture import capture_texts, measure_sinks
from evenkeel.activations.sinks import kept_rows
from evenkeel.datasets.records import Prompt, with_and_without_lead_ins
from evenkeel.datasets.terms import item_place
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import Split
from evenkeel.probes.logistic import choose_c, scores
from evenkeel.selection.gating import best_cut
from evenkeel.steering.gates import ProbeGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention

REGULARIZATION = (1e-3, 1e-2, 1e-1)
"""Values of C (inverse L2 strength) that a gate is chosen from, on validation."""
OPEN_AT_ITEMS = 0.999
"""Share of the tokens from a stereotyped item on, in validation, where a gate opens at least, if
that does not open it at too many of those from a definitional item on."""


@dataclass(frozen=True, eq=False)
class _Tokens:
    """The residual stream at every token of some texts that is no attention sink."""

    streams: dict[HookPoint, Float[ndarray, "tokens width"]]
    inside: dict[HookPoint, Bool[ndarray, " tokens"]]
    """Whether it ends the item of a stereotypical prompt, or comes after it."""
    known: dict[HookPoint, Bool[ndarray, " tokens"]]
    """The same of a definitional prompt."""

    def and_(self, more: Self) -> Self:
        """These tokens and more, at the same hook points."""
        return type(self)(
            *(
                {point: np.concatenate([of[point], others[point]]) for point in of}
                for of, others in (
                    (self.streams, more.streams),
                    (self.inside, more.inside),
                    (self.known, more.known),
                )
            )
        )


class ItemGates:
    """Linear probes of what a token belongs to: a stereotyped item's context, or anything else.

    Fitted to train prompts, with and without their lead-ins, and plain texts. Regularization and
    threshold are chosen where it is hardest to tell: on validation prompts, whose items and
    templates are others, from the item on. An item at which a gate stays shut keeps all its bias,
    while an edit that is let act on what is known by definition is trained to leave it alone: so
    gates open at `OPEN_AT_ITEMS` of the former, unless that is more than `open_at_known` of the
    latter. Neutral prompts and plain text are where they stay shut. Items, what is known by
    definition, and the rest weigh the same in the fit: the second is nearest to the items, and of
    few tokens.

    Args:
        loaded: the model to steer.
        prompts: of one axis and all splits; those that name their item are read.
        texts: plain texts of the train split.
        points: where gates are asked for.
        open_at_known: largest share of the tokens from a definitional item on, in validation, where
            a gate opens.
        beside: interventions that may act before these gates read: prompts and texts of the train
            split are then read under them, too.

    Raises:
        BadInputError: a prompt's text does not hold its item, or a split lacks stereotypical
            prompts.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        points: Sequence[HookPoint],
        open_at_known: float,
        beside: Sequence[Intervention] = (),
    ) -> None:
        self._loaded, self._points, self._open_at_known = loaded, points, open_at_known
        own = [p for p in prompts if p.direction == "group_given_item"]
        train = with_and_without_lead_ins(_of_split(own, "train"))
        self._train = self._tokens(train, texts)
        if beside:
            with steer(loaded.model, beside):
                self._train = self._train.and_(self._tokens(train, texts))
        self._validation = self._tokens(_of_split(own, "validation"), ())
        self.at = cache(self._at)

    def norm(self, point: HookPoint) -> float:
        """Mean norm of the residual stream there."""
        return float(np.linalg.norm(self._train.streams[point], axis=1).mean())

    def _at(self, point: HookPoint) -> ProbeGate:
        train = self._train.streams[point], self._train.inside[point]
        inside, known = self._validation.inside[point], self._validation.known[point]
        hard = inside | known if known.any() else np.ones_like(inside)
        validation = self._validation.streams[point][hard], inside[hard]
        weights = balanced_weights(self._train.inside[point], self._train.known[point])
        _, linear = choose_c(train, validation, REGULARIZATION, weights)
        values = scores(validation[0], linear)
        threshold = (
            item_threshold(values[validation[1]], values[~validation[1]], self._open_at_known)
            if known.any()
            else best_cut(values, validation[1])
        )
        return ProbeGate(torch.from_numpy(linear[0]), linear[1], threshold)

    def _tokens(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> _Tokens:
        encoder = self._loaded.encoder
        read = [prompt.lead_in + prompt.text for prompt in prompts] + list(texts)
        lengths = [len(ids) for ids in encoder.encode_all(read)]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        marked = {
            kind: np.zeros(offsets[-1], dtype=bool) for kind in ("stereotypical", "definitional")
        }
        for index, prompt in enumerate(prompts):
            if prompt.kind in marked:
                ends = len(encoder.encode(prompt.lead_in + prompt.text[: _item_end(prompt)]))
                marked[prompt.kind][offsets[index] + ends - 1 : offsets[index + 1]] = True
        sites = sorted({point.site for point in self._points})
        layers = sorted({point.layer for point in self._points})
        found = capture_texts(self._loaded, read, sites, layers, positions="all")
        probes = measure_sinks(self._loaded.model, list(self._points))
        kept = {
            point: kept_rows(found[point], offsets, "exclude", probes[point])
            for point in self._points
        }
        return _Tokens(
            {point: found[point][kept[point]] for point in self._points},
            {point: marked["stereotypical"][kept[point]] for point in self._points},
            {point: marked["definitional"][kept[point]] for point in self._points},
        )


def item_threshold(
    of_items: Float[ndarray, " tokens"], of_known: Float[ndarray, " tokens"], open_at_known: float
) -> float:
    """Above which value a gate is open.

    The best cut between both, or lower, down to where `OPEN_AT_ITEMS` of the items' tokens lie
    above; but never so low that more than `open_at_known` of what is known does.

    Args:
        of_items: what the gate's probe gives for tokens from a stereotyped item on.
        of_known: the same from a definitional item on.
        open_at_known: a share.
    """
    values = np.concatenate([of_items, of_known])
    cut = best_cut(values, np.arange(len(values)) < len(of_items))
    wide = min(cut, float(np.quantile(of_items, 1 - OPEN_AT_ITEMS)))
    return max(wide, float(np.quantile(of_known, 1 - open_at_known)))


def balanced_weights(
    inside: Bool[ndarray, " tokens"], known: Bool[ndarray, " tokens"]
) -> Float[ndarray, " tokens"]:
    """Weights of mean 1 under which each kind of token counts for as much as any other."""
    weights = np.ones(len(inside))
    kinds = [kind for kind in (inside, known, ~(inside | known)) if kind.any()]
    for kind in kinds:
        weights[kind] = len(inside) / len(kinds) / kind.sum()
    return weights


def _of_split(prompts: Sequence[Prompt], split: Split) -> list[Prompt]:
    chosen = [prompt for prompt in prompts if prompt.split == split]
    if not any(prompt.kind == "stereotypical" for prompt in chosen):
        raise BadInputError(
            f"the {split} split lacks stereotypical prompts that name their item, which the gates "
            "of learned edits are fitted to; give it some, or take reft out of evaluation.methods"
        )
    return chosen


def _item_end(prompt: Prompt) -> int:
    cure = "at which gates open; correct it, or take reft out of evaluation.methods"
    return item_place(prompt, cure).stop
