"""Intervals that hold for other templates, too: items and templates resampled together.

Prompts that share a template are no more independent than those that share an item. An interval
over items says what other items would show in the same templates; where an effect differs between
templates, it is too narrow for anything else.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.stats import norm
from scipy.stats import t as student

from evenkeel.errors import BadInputError
from evenkeel.statistics.bootstrap import Statistic

Weights = Float[np.ndarray, "resamples rows"]


class TwoWayBootstrap:
    """Resamples of items and of templates, each drawn on its own (Owen 2007, "The pigeonhole
    bootstrap"), for prompts in which every item meets every template.

    Args:
        place: which prompt an item and a template make.
        resamples: how often both are drawn.
        seed: of the draws.
    """

    def __init__(self, place: Int[ndarray, "items templates"], resamples: int, seed: int) -> None:
        items, templates = place.shape
        generator = np.random.default_rng(seed)
        self._place = place
        even = np.full(templates, 1 / templates)
        self._weights = generator.multinomial(templates, even, resamples) / templates
        self._drawn = generator.integers(0, items, (resamples, items))
        # Templates are few: their quantiles are taken as far out as Student's would be.
        reach = np.sqrt(templates / (templates - 1)) * student.ppf(0.975, templates - 1)
        self._levels = norm.cdf([-reach, reach])

    @classmethod
    def of(
        cls, items: Sequence[str], templates: Sequence[str], resamples: int, seed: int
    ) -> Self | None:
        """The bootstrap of prompts; None where they are not crossed, or by fewer than three.

        Args:
            items: of each prompt.
            templates: of each prompt.
            resamples: how often both are drawn.
            seed: of the draws.
        """
        place = {key: row for row, key in enumerate(zip(items, templates, strict=True))}
        rows, columns = sorted(set(items)), sorted(set(templates))
        complete = len(place) == len(items) == len(rows) * len(columns)
        if not complete or min(len(rows), len(columns)) < 3:
            return None
        table = [[place[item, template] for template in columns] for item in rows]
        return cls(np.array(table), resamples, seed)

    def interval(
        self, statistic: Statistic, *columns: Float[ndarray, " prompts *groups"]
    ) -> tuple[float, float] | None:
        """95 % interval of a statistic of the items' means over templates.

        It errs on the wide side: in simulations with 6 templates and 20 items it holds the truth in
        95 to 99 % of cases, where an interval over items, depending on how much the effect differs
        between templates, does in 51 to 93 %.

        Args:
            statistic: reduces the items of its arguments.
            columns: one value, or one row of groups, for each prompt; paired columns are resampled
                together.

        Returns:
            None where the statistic is undefined in some resample.
        """
        with np.errstate(all="ignore"):
            values = statistic(*(self._resampled(column) for column in columns))
        if not np.isfinite(values).all():
            return None
        low, high = np.quantile(values, self._levels)
        return float(low), float(high)

    def _resampled(
        self, column: Float[ndarray, " prompts *groups"]
    ) -> Float[ndarray, "resamples items *groups"]:
        by_item = np.einsum("rt,it...->ri...", self._weights, column[self._place])
        return by_item[np.arange(len(by_item))[:, None], self._drawn]


def factor_weights(
    factors: Sequence[tuple[str, ...]], resamples: int, generator: np.random.Generator
) -> Weights:
    """Weights of rows in resamples of the words that fill them, for rows that are not crossed.

    The words of each slot (group term, attribute) are drawn with replacement on their own, and a
    row weighs the product of how often each of its words was drawn: the pigeonhole bootstrap (Owen
    2007) by weights. It errs on the wide side. The order of rows does not matter.

    Args:
        factors: what fills each row, slot by slot; every row has the same slots.
        resamples: number of draws.
        generator: source of the draws.
    """
    assert factors, "nothing to resample"
    weights = np.ones((resamples, len(factors)), dtype=np.float64)
    for slot in zip(*factors, strict=True):
        names, codes = np.unique(np.asarray(slot), return_inverse=True)
        drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
        weights *= drawn[:, codes]
    return weights


def interval95(values: Float[np.ndarray, " resamples"], where: str) -> tuple[float, float]:
    """Percentile interval of a measure over resamples; those where it is undefined are left out.

    Args:
        values: the measure in each resample, NaN where it is undefined (a class drawn empty).
        where: what the values are of, for the message.

    Raises:
        BadInputError: it is undefined in most of them.
    """
    defined = values[np.isfinite(values)]
    if 2 * len(defined) < len(values):
        raise BadInputError(
            f"{where}: too few items for an interval (most resamples lack a class); "
            "use more statements"
        )
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)
