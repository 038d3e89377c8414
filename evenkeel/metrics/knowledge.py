"""What a model knows by definition: is the right group the likelier one, and are groups told apart?

Accuracy asks for the first. It depends on how common the groups' words are as well: a model that
knows who is able-bodied, but rarely writes the word, is right on half of the prompts. AUROC asks
for the second, and does not.
"""

from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from evenkeel.metrics import bias
from evenkeel.scoring.prompt_set import PromptSet, Readings
from evenkeel.statistics.bootstrap import ClusterBootstrap, change_of_share, mean, share
from evenkeel.statistics.clusters import Clusters
from evenkeel.statistics.estimate import Estimate, Measures

Pairs = Float[ndarray, "items items"]


class Knowledge:
    """Metrics over the definitional items of a prompt set.

    Args:
        prompt_set: that the prompts belong to.
        resamples: bootstrap resamples of items; 0 for values without intervals.
        seed: of the resamples.
    """

    def __init__(self, prompt_set: PromptSet, resamples: int, seed: int) -> None:
        self._prompt_set = prompt_set
        self.items = Clusters.of([prompt.item for prompt in prompt_set.definitional])
        self._bootstrap = ClusterBootstrap(len(self.items), resamples, seed)

    def margins(self, readings: Readings) -> Float[ndarray, " definitional_prompts"]:
        """Log-odds of the right group against the likeliest wrong one."""
        return bias.margins(bias.centred(readings.definitional), self._prompt_set.expected)

    def of(self, readings: Readings) -> Measures:
        """Metrics of a model by itself."""
        margin = self._bootstrap.estimate(mean, self._item_margins(readings))
        return self.competence(readings) | {"definitional_margin": margin}

    def competence(self, readings: Readings) -> Measures:
        """Those that say whether a model can do the task."""
        right = self._right(readings)
        return {
            "definitional_accuracy": share(self._bootstrap, right, self.items.counts),
            "definitional_auroc": self._auroc(readings),
        }

    def change(self, baseline: Readings, steered: Readings) -> Measures:
        """What of it an intervention costs, paired by item."""
        return {
            "definitional_accuracy_change": change_of_share(
                self._bootstrap, self._right(baseline), self._right(steered), self.items.counts
            ),
            "definitional_auroc_change": self._auroc_change(baseline, steered),
        }

    def margin_ratio(self, baseline: Readings, steered: Readings) -> Estimate:
        """Share of the margin that is kept; unknown where the baseline's may be zero: a share of
        nothing."""
        margins = [self._item_margins(read) for read in (baseline, steered)]
        before = self._bootstrap.estimate(mean, margins[0])
        least = before.value if before.low is None else before.low
        known = least is not None and least > 0
        return self._bootstrap.estimate(bias.margin_ratio, *margins) if known else Estimate(None)

    def _item_margins(self, readings: Readings) -> Float[ndarray, " items"]:
        return self.items.mean(self.margins(readings))

    def _right(self, readings: Readings) -> Float[ndarray, " items"]:
        """On how many prompts of each item the right group wins."""
        return self.items.sum((self.margins(readings) > 0).astype(float))

    def _auroc(self, readings: Readings) -> Estimate:
        """Probability that a group gets more after an item of its own than after one of another
        group, in the same template.

        Where no pair is ordered the other way, a bootstrap has no width: then the interval is that
        of as many hits as items.
        """
        wins, compared = self._wins(readings), self._compared
        if compared.any() and (wins == compared).all():
            return share(self._bootstrap, self.items.counts, self.items.counts)
        return self._bootstrap.estimate(
            lambda items: _auroc(self._counts(items), wins, compared), np.arange(len(self.items))
        )

    def _auroc_change(self, baseline: Readings, steered: Readings) -> Estimate:
        before, after = self._wins(baseline), self._wins(steered)
        compared = self._compared
        if compared.any() and (before == after).all():
            won = before.sum(axis=1)
            return change_of_share(self._bootstrap, won, won, compared.sum(axis=1))

        def change(items: Int[ndarray, "... items"]) -> Float[ndarray, "..."]:
            counts = self._counts(items)
            return _auroc(counts, after, compared) - _auroc(counts, before, compared)

        return self._bootstrap.estimate(change, np.arange(len(self.items)))

    def _wins(self, readings: Readings) -> Pairs:
        """In how many templates the group of the row's item gets more after it than after the
        column's item; ties are half."""
        return self._over_templates(bias.centred(readings.definitional))

    @cached_property
    def _compared(self) -> Pairs:
        """In how many templates both items are asked about, where their groups differ."""
        return self._over_templates(None)

    @cached_property
    def _rows_of_templates(self) -> list[Int[ndarray, " rows"]]:
        templates = Clusters.of([prompt.template for prompt in self._prompt_set.definitional])
        return [np.flatnonzero(templates.index == number) for number in range(len(templates))]

    def _over_templates(
        self, scores: Float[ndarray, "definitional_prompts groups"] | None
    ) -> Pairs:
        expected = self._prompt_set.expected
        table = np.zeros((len(self.items), len(self.items)))
        for rows in self._rows_of_templates:
            own = expected[rows]
            value = (own[:, None] != own).astype(float)
            if scores is not None:
                other = scores[np.ix_(rows, own)].T
                mine = scores[rows, own][:, None]
                value *= (mine > other) + (mine == other) / 2
            items = self.items.index[rows]
            np.add.at(table, (items[:, None], items), value)
        return table

    def _counts(self, items: Int[ndarray, "... items"]) -> Float[ndarray, "... items"]:
        """How often each item was drawn."""
        rows = items.reshape(-1, items.shape[-1])
        cells = rows + np.arange(len(rows))[:, None] * len(self.items)
        counts = np.bincount(cells.ravel(), minlength=len(rows) * len(self.items))
        return counts.reshape(*items.shape[:-1], len(self.items)).astype(float)


def _auroc(
    counts: Float[ndarray, "... items"], wins: Pairs, compared: Pairs
) -> Float[ndarray, "..."]:
    """Share of pairs that are won; NaN where there is none."""
    won, of = (((counts @ table) * counts).sum(axis=-1) for table in (wins, compared))
    return won / of
