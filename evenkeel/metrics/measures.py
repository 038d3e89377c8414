"""Every metric of one model on one prompt set, with its interval."""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from evenkeel.datasets.records import Direction
from evenkeel.metrics import bias
from evenkeel.metrics.fluency import perplexity, perplexity_ratio
from evenkeel.metrics.harm import harm_counts
from evenkeel.metrics.knowledge import Knowledge
from evenkeel.metrics.registry import OTHER_DIRECTION
from evenkeel.scoring.prompt_set import PromptSet, Readings
from evenkeel.statistics.bootstrap import ClusterBootstrap, ratio_of_sums
from evenkeel.statistics.clusters import Clusters
from evenkeel.statistics.estimate import Estimate, Measures
from evenkeel.statistics.jackknife import log_jackknife


class ItemMeasures:
    """Metrics of bias over the items of one direction of asking.

    Args:
        prompt_set: that the prompts belong to.
        direction: of its stereotypical prompts.
        resamples: bootstrap resamples of items; 0 for values without intervals.
        seed: of the resamples.
    """

    def __init__(
        self, prompt_set: PromptSet, direction: Direction, resamples: int, seed: int
    ) -> None:
        self.rows: Bool[ndarray, " prompts"] = np.array(
            [prompt.direction == direction for prompt in prompt_set.stereotypical], dtype=bool
        )
        self.prompts = [p for p in prompt_set.stereotypical if p.direction == direction]
        self.items = Clusters.of([prompt.item for prompt in self.prompts])
        first = [self.prompts[row] for row in _first_rows(self.items)]
        self.reference = prompt_set.reference(first)
        """Centred log-rates of each item; NaN where they are unknown."""
        self.held_against = prompt_set.held_against(first)
        self.has_reference = np.isfinite(self.reference).all(axis=1)
        self._all = ClusterBootstrap(len(self.items), resamples, seed)
        self._referenced = ClusterBootstrap(int(self.has_reference.sum()), resamples, seed)
        self._held = ClusterBootstrap(int((self.held_against >= 0).sum()), resamples, seed)

    def scores(self, readings: Readings) -> Float[ndarray, "items groups"]:
        """Score of each item, the mean over its prompts."""
        return self.items.mean(self.prompt_scores(readings))

    def prompt_scores(self, readings: Readings) -> Float[ndarray, "prompts groups"]:
        return bias.centred(readings.stereotypical[self.rows])

    def of(self, readings: Readings) -> Measures:
        """Metrics of a model by itself."""
        scores = self.scores(readings)
        known, held = self.has_reference, self.held_against >= 0
        referenced = self.reference[known], scores[known]
        return {
            "item_spread": spread_estimate(scores),
            "mean_log_odds": self._all.estimate(bias.mean_log_odds, scores),
            "reference_slope": self._referenced.estimate(bias.slope, *referenced),
            "reference_correlation": self._referenced.estimate(bias.correlation, *referenced),
            "stereotype_gap": self._held.estimate(
                bias.stereotype_gap, scores[held], self.held_against[held]
            ),
            "split_half": self._split_half(readings),
        }

    def change(self, baseline: Readings, steered: Readings) -> Measures:
        """Those metrics of change that an intervention is chosen by."""
        before, after = self.scores(baseline), self.scores(steered)
        return {
            "bias_reduction": self._all.estimate(bias.bias_reduction, before, after),
            "mean_log_odds_change": self._all.estimate(bias.mean_log_odds_change, before, after),
        }

    def advantage(self, baseline: Readings, steered: Readings, other: Readings) -> Estimate:
        """By how much the bias reduction of one steered model exceeds that of another, paired by
        item."""
        scores = map(self.scores, (baseline, steered, other))
        return self._all.estimate(bias.advantage, *scores)

    def harm(self, baseline: Readings, steered: Readings) -> Measures:
        """Shares of prompts that were moved the wrong way."""
        before, after = self.prompt_scores(baseline), self.prompt_scores(steered)
        origin = bias.unbiased(before, self.prompts)
        return harm_counts(before - origin, after - origin, self.items, self._all)

    def _split_half(self, readings: Readings) -> Estimate:
        """Correlation of item scores over one half of the templates with those over the other."""
        templates = Clusters.of([prompt.template for prompt in self.prompts])
        scores, halves = self.prompt_scores(readings), []
        for parity in (0, 1):
            rows = templates.index % 2 == parity
            counts = self.items.sum(rows.astype(float))
            if not counts.all():
                return Estimate(None)
            halves.append(self.items.sum(np.where(rows[:, None], scores, 0)) / counts[:, None])
        return self._all.estimate(bias.correlation, *halves)


class PromptSetMeasures:
    """Turns readings of a prompt set into metrics; one set of resamples serves all models.

    Args:
        prompt_set: what the models read.
        resamples: bootstrap resamples; 0 for values without intervals.
        seed: of the resamples.
        direction: of the prompts that bias is measured on first.
    """

    def __init__(
        self,
        prompt_set: PromptSet,
        resamples: int,
        seed: int,
        direction: Direction = "group_given_item",
    ) -> None:
        self.prompt_set = prompt_set
        self.resamples, self.seed = resamples, seed
        self.direction: Direction = direction
        self.items = ItemMeasures(prompt_set, direction, resamples, seed)
        other: Direction = (
            "item_given_group" if direction == "group_given_item" else "group_given_item"
        )
        asked = {prompt.direction for prompt in prompt_set.stereotypical}
        self.other = ItemMeasures(prompt_set, other, resamples, seed) if other in asked else None
        self.knowledge = Knowledge(prompt_set, resamples, seed)
        self._texts = ClusterBootstrap(len(prompt_set.texts), resamples, seed)

    @cached_property
    def values(self) -> "PromptSetMeasures":
        """The same metrics without intervals, where there is no time for them."""
        return PromptSetMeasures(self.prompt_set, 0, 0, self.direction)

    @property
    def units(self) -> dict[str, int]:
        """What the intervals of the metrics of change rest on."""
        return {
            "bias_reduction": len(self.items.items),
            "definitional_accuracy_change": len(self.knowledge.items),
            "moved_away_share": len(self.items.items),
            "perplexity_ratio": len(self.prompt_set.texts),
        }

    @property
    def sample(self) -> dict[str, int]:
        """How much the metrics rest on."""
        counts = {
            "items": len(self.items.items),
            "items_with_reference": int(self.items.has_reference.sum()),
            "stereotypical_prompts": len(self.items.prompts),
            "stereotypical_templates": len({p.template for p in self.items.prompts}),
            "definitional_items": len(self.knowledge.items),
            "definitional_prompts": len(self.prompt_set.definitional),
            "texts": len(self.prompt_set.texts),
            "text_tokens": int(self.prompt_set.scored_tokens.sum()),
        }
        if self.other:
            counts["items" + OTHER_DIRECTION] = len(self.other.items)
        return counts

    def of(self, readings: Readings) -> Measures:
        """Metrics of a model by itself."""
        measures = self.items.of(readings)
        if self.other:
            other = self.other.of(readings)
            measures |= {name + OTHER_DIRECTION: estimate for name, estimate in other.items()}
            measures["direction_agreement"] = self._agreement(readings)
        measures |= self.knowledge.of(readings)
        if self.prompt_set.texts:
            measures["perplexity"] = self._texts.estimate_additive(
                perplexity, readings.losses, self.prompt_set.scored_tokens
            )
        return measures

    def against(self, baseline: Readings, steered: Readings) -> Measures:
        """Metrics of a steered model relative to the unsteered one, paired by item or text."""
        return self.headline(baseline, steered) | self.beside_headline(baseline, steered)

    def beside_headline(self, baseline: Readings, steered: Readings) -> Measures:
        """Those metrics of `against` that nothing is chosen by."""
        measures: Measures = {}
        if self.other:
            change = self.other.change(baseline, steered)
            measures |= {name + OTHER_DIRECTION: estimate for name, estimate in change.items()}
        measures["definitional_margin_ratio"] = self.knowledge.margin_ratio(baseline, steered)
        return measures | self.items.harm(baseline, steered)

    def headline(self, baseline: Readings, steered: Readings) -> Measures:
        """Those metrics of `against` that an intervention is chosen by."""
        measures = self.items.change(baseline, steered) | self.knowledge.change(baseline, steered)
        if self.prompt_set.texts:
            measures["perplexity_ratio"] = self._texts.estimate_additive(
                perplexity_ratio,
                baseline.losses,
                steered.losses,
                self.prompt_set.scored_tokens,
            )
        return measures

    def _agreement(self, readings: Readings) -> Estimate:
        """Correlation of the scores of those items that are asked in both directions."""
        assert self.other is not None
        shared = sorted(set(self.items.items.names) & set(self.other.items.names))
        if not shared:
            return Estimate(None)
        columns = [
            side.scores(readings)[[side.items.names.index(name) for name in shared]]
            for side in (self.items, self.other)
        ]
        return ClusterBootstrap(len(shared), self.resamples, 0).estimate(bias.correlation, *columns)

    def kl_neutral(self, divergences: Float[ndarray, " texts"]) -> Estimate:
        """Mean divergence from the unsteered model per token of the set's texts."""
        return self._texts.estimate_additive(
            ratio_of_sums, divergences, self.prompt_set.scored_tokens
        )


def spread_estimate(scores: Float[ndarray, "items groups"]) -> Estimate:
    """The item spread, with an interval that holds the truth where there are few items."""
    spread = float(bias.item_spread(scores))
    if not np.isfinite(spread):
        return Estimate(None)
    return Estimate(spread, *(log_jackknife(bias.item_spread, scores) or (None, None)))


def as_json(measures: Measures) -> dict[str, float | list[float] | None]:
    """Estimates and their `_ci95` as one flat dictionary."""
    flat: dict[str, float | list[float] | None] = {}
    for name, estimate in measures.items():
        flat |= estimate.columns(name)
    return flat


def _first_rows(clusters: Clusters) -> Int[ndarray, " clusters"]:
    return np.unique(clusters.index, return_index=True)[1]
