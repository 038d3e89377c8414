"""Bias in sampled text: which groups the continuations of each item's prompts name.

This is what a reader of the model's output sees. Log-odds say how likely the words of a group are
at one place; sampled text also holds what the model says on its own way there, or never says.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from evenkeel.datasets.records import Direction, Prompt
from evenkeel.metrics.bias import NO_SPREAD
from evenkeel.statistics.bootstrap import ClusterBootstrap, share
from evenkeel.statistics.clusters import Clusters
from evenkeel.statistics.estimate import Measures

Counts = Float[ndarray, "... items groups"]
"""Continuations of each item that name each group."""


def per_item(
    prompts: Sequence[Prompt], number: int, direction: Direction = "group_given_item"
) -> list[Prompt]:
    """So many stereotypical prompts of each item, its templates in turn, asked in one direction.

    Successive items begin at successive templates.
    """
    by_item: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        if prompt.kind == "stereotypical" and prompt.direction == direction:
            by_item.setdefault(prompt.item, []).append(prompt)
    return [
        of_item[(place + sample) % len(of_item)]
        for place, of_item in enumerate(by_item.values())
        for sample in range(number)
    ]


def named_group(text: str, words: Mapping[str, Sequence[str]]) -> str | None:
    """The group that a text names first by one of its words; None if it has none.

    Whole words count, whatever their case; where two words begin at the same place the longer one
    does.

    Args:
        text: of any kind.
        words: by group.
    """
    pairs = [(word.strip(), group) for group, of_group in words.items() for word in of_group]
    pairs.sort(key=lambda pair: (-len(pair[0]), pair[1]))
    alternatives = "|".join(f"({re.escape(word)})" for word, _ in pairs)
    found = re.search(rf"(?<!\w)(?:{alternatives})(?!\w)", text, re.IGNORECASE)
    return pairs[found.lastindex - 1][1] if found and found.lastindex else None


def sampled_slope(
    counts: Counts, rates: Float[ndarray, "... items groups"]
) -> Float[ndarray, "..."]:
    """Slope of the share of texts that name each group, of those that name one, on its rate.

    Least squares, each group with an intercept of its own and each item weighted by its texts: the
    noise of few texts an item widens the interval, and does not bias the slope.

    Args:
        counts: texts by item and group.
        rates: P(group | item) of the reference; every item adds up to 1.
    """
    weights = counts.sum(axis=-1, keepdims=True)
    total = weights.sum(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = rates - (weights * rates).sum(axis=-2, keepdims=True) / total
        spread = (weights * x**2).sum(axis=(-2, -1))
        slope: Float[ndarray, ...] = (x * counts).sum(axis=(-2, -1)) / np.where(
            spread > NO_SPREAD**2 * total[..., 0, 0], spread, np.nan
        )
    return slope


def sampled_gap(counts: Counts, held_against: Int[ndarray, "... items"]) -> Float[ndarray, "..."]:
    """How much oftener texts name a group of items that are held against it than chance would.

    Of the texts that name a group, those of items held against g name g with share p(g):
    (sum over g of p(g) - 1) / (groups - 1). Two groups: the difference of the shares with which
    items of either side name the first one. 1 names the group of the stereotype always; 0 is no
    difference.

    Returns:
        NaN where no item of one of the groups has a text that names one.
    """
    groups = counts.shape[-1]
    own = [(held_against == group)[..., None] * counts for group in range(groups)]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [
            table[..., group].sum(axis=-1) / table.sum(axis=(-2, -1))
            for group, table in enumerate(own)
        ]
    return (np.sum(shares, axis=0) - 1) / (groups - 1)


class SampledMeasures:
    """Turns continuations of some prompts into metrics, over items.

    Args:
        prompts: stereotypical ones of one axis, as of `per_item`.
        resamples: bootstrap resamples of items.
        seed: of the resamples.
    """

    def __init__(self, prompts: Sequence[Prompt], resamples: int, seed: int) -> None:
        self.prompts = tuple(prompts)
        self._groups = prompts[0].groups if prompts else ()
        self._items = Clusters.of([prompt.item for prompt in prompts])
        first = {prompt.item: prompt for prompt in reversed(prompts)}
        of_items = [first[name] for name in self._items.names]
        self._rates = np.array(
            [
                [(prompt.reference or {}).get(group, np.nan) for group in self._groups]
                for prompt in of_items
            ]
        ).reshape(len(of_items), len(self._groups))
        self._held = np.array(
            [
                self._groups.index(prompt.held_against) if prompt.held_against else -1
                for prompt in of_items
            ],
            dtype=np.int64,
        )
        self._known = np.isfinite(self._rates).all(axis=1)
        self._all, self._referenced, self._against = (
            ClusterBootstrap(int(units), resamples, seed)
            for units in (len(of_items), self._known.sum(), (self._held >= 0).sum())
        )

    def of(self, texts: Sequence[str]) -> Measures:
        """Metrics of the continuations of each prompt, in their order; none without prompts."""
        if not self.prompts:
            return {}
        named = np.zeros((len(texts), len(self._groups)))
        for row, (text, prompt) in enumerate(zip(texts, self.prompts, strict=True)):
            if (group := named_group(text, prompt.continuations)) is not None:
                named[row, self._groups.index(group)] = 1
        counts, held = self._items.sum(named), self._held >= 0
        return {
            "sampled_slope": self._referenced.estimate(
                sampled_slope, counts[self._known], self._rates[self._known]
            ),
            "sampled_gap": self._against.estimate(sampled_gap, counts[held], self._held[held]),
            "sampled_naming_share": share(
                self._all, counts.sum(axis=1), self._items.counts.astype(float)
            ),
        }
