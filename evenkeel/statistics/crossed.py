"""Intervals that hold for other templates, too: terms and templates resampled together.

Prompts that share a template are no more independent than those that share a term. An interval over
terms says what other terms would show in the same templates; where an effect differs between
templates, it is too narrow for anything else.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.stats import norm
from scipy.stats import t as student

from evenkeel.datasets.records import Prompt
from evenkeel.statistics.bootstrap import Statistic


class CrossedBootstrap:
    """Resamples of terms and of templates, each drawn on its own (Owen 2007, "The pigeonhole
    bootstrap"), for prompts in which every term meets every template.

    Args:
        place: which prompt a term and a template make.
        resamples: how often both are drawn.
        seed: of the draws.
    """

    def __init__(self, place: Int[ndarray, "terms templates"], resamples: int, seed: int) -> None:
        terms, templates = place.shape
        generator = np.random.default_rng(seed)
        self._place = place
        even = np.full(templates, 1 / templates)
        self._weights = generator.multinomial(templates, even, resamples) / templates
        self._drawn = generator.integers(0, terms, (resamples, terms))
        # Templates are few: their quantiles are taken as far out as Student's would be.
        reach = np.sqrt(templates / (templates - 1)) * student.ppf(0.975, templates - 1)
        self._levels = norm.cdf([-reach, reach])

    @classmethod
    def of(cls, prompts: Sequence[Prompt], resamples: int, seed: int) -> Self | None:
        """The bootstrap of prompts; None where they are not crossed, or by fewer than three."""
        place = {(p.term, p.template): index for index, p in enumerate(prompts)}
        terms = sorted({p.term for p in prompts})
        templates = sorted({p.template for p in prompts})
        complete = len(place) == len(prompts) == len(terms) * len(templates)
        if not complete or min(len(terms), len(templates)) < 3:
            return None
        table = [[place[term, template] for template in templates] for term in terms]
        return cls(np.array(table), resamples, seed)

    def interval(
        self, statistic: Statistic, *columns: Float[ndarray, " prompts"]
    ) -> tuple[float, float] | None:
        """95 % interval of a statistic of the terms' means over templates.

        It errs on the wide side: in simulations with 6 templates and 20 terms it holds the truth in
        95 to 99 % of cases, where an interval over terms, depending on how much the effect differs
        between templates, does in 51 to 93 %.

        Args:
            statistic: reduces the last axis, the terms, of its arguments.
            columns: one value for each prompt; paired columns are resampled together.

        Returns:
            None where the statistic is undefined in some resample.
        """
        with np.errstate(all="ignore"):
            values = statistic(*(self._resampled(column) for column in columns))
        if not np.isfinite(values).all():
            return None
        low, high = np.quantile(values, self._levels)
        return float(low), float(high)

    def _resampled(self, column: Float[ndarray, " prompts"]) -> Float[ndarray, "resamples terms"]:
        by_term = self._weights @ column[self._place].T
        return np.take_along_axis(by_term, self._drawn, axis=1)
