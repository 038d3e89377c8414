"""Every measure of one model on one panel, with its interval."""

from functools import cached_property

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.metrics import bias
from evenkeel.metrics.fluency import perplexity, perplexity_ratio
from evenkeel.metrics.harm import harm_counts
from evenkeel.scoring.panel import Panel, Readings
from evenkeel.statistics.bootstrap import (
    TermBootstrap,
    absolute,
    change_of_share,
    mean,
    ratio_of_sums,
    share,
)
from evenkeel.statistics.estimate import Estimate
from evenkeel.statistics.jackknife import log_jackknife

Measures = dict[str, Estimate]


class PanelMeasures:
    """Turns readings of a panel into measures; one set of resamples serves all models.

    Args:
        panel: what the models were asked.
        resamples: bootstrap resamples; 0 for values without intervals.
        seed: of the resamples.
    """

    def __init__(self, panel: Panel, resamples: int, seed: int) -> None:
        self.panel = panel
        self.resamples = resamples
        self.has_share = np.isfinite(panel.planted)
        self._occupations = TermBootstrap(len(panel.occupations.names), resamples, seed)
        self._planted = TermBootstrap(int(self.has_share.sum()), resamples, seed)
        self._definitions = TermBootstrap(len(panel.definitions.names), resamples, seed)
        self._texts = TermBootstrap(len(panel.texts), resamples, seed)

    @cached_property
    def values(self) -> "PanelMeasures":
        """The same measures without intervals, where there is no time for them."""
        return PanelMeasures(self.panel, 0, 0)

    @property
    def units(self) -> dict[str, int]:
        """What the intervals of the measures of change rest on."""
        return {
            "bias_reduction": len(self.panel.occupations.names),
            "definitional_accuracy_change": len(self.panel.definitions.names),
            "moved_away_share": len(self.panel.occupations.names),
            "perplexity_ratio": len(self.panel.texts),
        }

    @property
    def sample(self) -> dict[str, int]:
        """How much the measures rest on."""
        return {
            "occupations": len(self.panel.occupations.names),
            "occupations_with_share": int(self.has_share.sum()),
            "stereotypical_prompts": len(self.panel.stereotypical),
            "stereotypical_templates": len({p.template for p in self.panel.stereotypical}),
            "definitional_terms": len(self.panel.definitions.names),
            "definitional_prompts": len(self.panel.definitional),
            "texts": len(self.panel.texts),
            "text_tokens": int(self.panel.scored_tokens.sum()),
        }

    def of(self, readings: Readings) -> Measures:
        """Measures of a model by itself."""
        odds = self.panel.occupations.mean(readings.stereotypical)
        planted = self.panel.planted[self.has_share], odds[self.has_share]
        return {
            "occupation_spread": spread_estimate(odds),
            "parity_offset": absolute(self._occupations.estimate(bias.mean_log_odds, odds)),
            "planted_slope": self._planted.estimate(bias.slope, *planted),
            "planted_correlation": self._planted.estimate(bias.correlation, *planted),
            "definitional_accuracy": self.accuracy(readings),
            "definitional_margin": self._definitions.estimate(
                mean, self.panel.definitions.mean(readings.margins)
            ),
            "perplexity": self._texts.estimate_additive(
                perplexity, readings.losses, self.panel.scored_tokens
            ),
        }

    def accuracy(self, readings: Readings) -> Estimate:
        """Share of the definitional prompts on which the right side wins."""
        return share(self._definitions, self._right(readings), self.panel.definitions.counts)

    def against(self, baseline: Readings, steered: Readings) -> Measures:
        """Measures of a steered model relative to the unsteered one, paired by term or text.

        The margin ratio is unknown where the baseline's margin may be zero: a share of nothing.
        """
        definitions = self.panel.definitions
        margins = [definitions.mean(readings.margins) for readings in (baseline, steered)]
        before = self._definitions.estimate(mean, margins[0])
        least = before.value if before.low is None else before.low
        known = least is not None and least > 0
        return {
            **self.headline(baseline, steered),
            "definitional_margin_ratio": self._definitions.estimate(bias.margin_ratio, *margins)
            if known
            else Estimate(None),
            **harm_counts(
                baseline.stereotypical,
                steered.stereotypical,
                self.panel.occupations,
                self._occupations,
            ),
        }

    def headline(self, baseline: Readings, steered: Readings) -> Measures:
        """Those measures of `against` that an intervention is chosen by."""
        odds = [self.panel.occupations.mean(read.stereotypical) for read in (baseline, steered)]
        return {
            "bias_reduction": self._occupations.estimate(bias.bias_reduction, *odds),
            "parity_shift": self._occupations.estimate(bias.parity_shift, *odds),
            "definitional_accuracy_change": change_of_share(
                self._definitions,
                self._right(baseline),
                self._right(steered),
                self.panel.definitions.counts,
            ),
            "perplexity_ratio": self._texts.estimate_additive(
                perplexity_ratio, baseline.losses, steered.losses, self.panel.scored_tokens
            ),
        }

    def _right(self, readings: Readings) -> Float[ndarray, " definitions"]:
        """In how many prompts of each definitional term the right side wins."""
        return self.panel.definitions.sum((readings.margins > 0).astype(float))

    def kl_neutral(self, divergences: Float[ndarray, " texts"]) -> Estimate:
        """Mean divergence from the unsteered model per token of the panel's texts."""
        return self._texts.estimate_additive(ratio_of_sums, divergences, self.panel.scored_tokens)


def spread_estimate(odds: Float[ndarray, " terms"]) -> Estimate:
    """The occupation spread, with an interval that holds the truth where there are few terms."""
    spread = float(bias.occupation_spread(odds))
    if not np.isfinite(spread):
        return Estimate(None)
    return Estimate(spread, *(log_jackknife(bias.occupation_spread, odds) or (None, None)))


def as_json(measures: Measures) -> dict[str, float | list[float] | None]:
    """Measures and their `_ci95` as one flat dictionary."""
    flat: dict[str, float | list[float] | None] = {}
    for name, estimate in measures.items():
        flat |= estimate.columns(name)
    return flat
