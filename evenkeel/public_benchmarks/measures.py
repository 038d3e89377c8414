"""What a benchmark says of a model, and what steering changes in it, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from evenkeel.statistics.bootstrap import (
    ClusterBootstrap,
    Statistic,
    change_of_share,
    ratio_of_sums,
    share,
)
from evenkeel.statistics.estimate import Estimate
from evenkeel.statistics.significance import ChangedChoices, changed_choices, lowered

Kind = Literal["bias", "competence", "capability"]
"""What must go, what it needs to be told, and what must stay."""
_REFERENCES: Mapping[Kind, str] = {"bias": "unbiased", "competence": "chance", "capability": "best"}


@dataclass(frozen=True, eq=False)
class Measure:
    """One figure of one model: a statistic over the units that an interval resamples."""

    rule: str
    """How the model was asked; a benchmark's `rules` say it in words."""
    group: str
    name: str
    kind: Kind
    reference: float
    """Of bias: the value without any. Of competence: that of chance. Of a capability: the best."""
    statistic: Statistic
    columns: tuple[Float[ndarray, " units"], ...]
    _: KW_ONLY
    additive: bool = False
    """Whether the statistic depends on the columns' sums only, which makes intervals cheap."""
    choices: Bool[ndarray, " items"] | None = None
    """Choices behind the figure, one an item; the first column counts the true ones by unit."""
    change: Literal["difference", "ratio"] = "difference"
    """How a steered figure is held against the unsteered one."""
    detail: bool = False
    """One of many of its sort: it stands in the table only."""

    @classmethod
    def share(
        cls,
        where: tuple[str, str, str],
        kind: Kind,
        reference: float,
        hits: Float[ndarray, " units"],
        counts: Float[ndarray, " units"],
        choices: Bool[ndarray, " items"],
    ) -> "Measure":
        """A share of hits among choices, which come in units of `counts`; `where` names it."""
        columns = (hits, counts)
        return cls(*where, kind, reference, ratio_of_sums, columns, additive=True, choices=choices)

    @property
    def is_share(self) -> bool:
        return self.choices is not None and self.statistic is ratio_of_sums

    def estimate(self, bootstrap: ClusterBootstrap) -> Estimate:
        """Value and interval on a bootstrap of the measure's units."""
        if self.is_share:
            return share(bootstrap, *self.columns)
        estimate = bootstrap.estimate_additive if self.additive else bootstrap.estimate
        return estimate(self.statistic, *self.columns)


def groups_of(labels: Sequence[str]) -> dict[str, Int[ndarray, " members"]]:
    """Indices of all items, and of those of each label."""
    found = np.array(labels)
    groups = {"all": np.arange(len(found))}
    return groups | {name: np.flatnonzero(found == name) for name in sorted(set(labels))}


@dataclass(frozen=True)
class Figure:
    """A measure of the unsteered model and, where there is one, of the steered model."""

    measure: Measure
    baseline: Estimate
    steered: Estimate | None
    change: Estimate | None
    """Paired: both models see the same resamples."""
    p_lowered: float | None
    """Of a capability: that steering did not lower it, one-sided (`lowered`)."""
    choices: ChangedChoices | None
    """Where the figure rests on choices: how many steering changed, and the test of that."""

    @property
    def too_weak(self) -> dict[str, bool]:
        """Of competence: whether each model is at chance, for all that its interval says."""
        chance = self.measure.reference
        models = {"baseline": self.baseline, "steered": self.steered}
        return {
            name: found.low is None or found.low <= chance
            for name, found in models.items()
            if found is not None
        }

    def record(self) -> dict[str, Any]:
        """For the metrics file: numbers with their intervals."""
        record: dict[str, Any] = self.baseline.columns("baseline")
        record[_REFERENCES[self.measure.kind]] = self.measure.reference
        if self.steered is not None and self.change is not None:
            record |= self.steered.columns("steered") | self.change.columns(self.measure.change)
        return record if self.choices is None else record | {"choices": self.choices.as_json()}

    def row(self) -> dict[str, str | float | None]:
        """For the table."""
        measure = self.measure
        row: dict[str, str | float | None] = {
            "rule": measure.rule,
            "group": measure.group,
            "measure": measure.name,
            "kind": measure.kind,
            "reference": measure.reference,
        }
        for name in ("baseline", "steered", "change"):
            estimate: Estimate | None = getattr(self, name)
            found = (
                (None,) * 3 if estimate is None else (estimate.value, estimate.low, estimate.high)
            )
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
        return row | {"p_choices": self.choices.p if self.choices else None}


def compare(
    baseline: Sequence[Measure], steered: Sequence[Measure] | None, resamples: int, seed: int
) -> list[Figure]:
    """Estimate every measure and, given those of a steered model in the same order, its change."""
    bootstraps: dict[int, ClusterBootstrap] = {}
    figures = []
    for index, before in enumerate(baseline):
        units = len(before.columns[0])
        if units not in bootstraps:
            bootstraps[units] = ClusterBootstrap(units, resamples, seed)
        bootstrap = bootstraps[units]
        found = before.estimate(bootstrap)
        if steered is None:
            figures.append(Figure(before, found, None, None, None, None))
            continue
        after = steered[index]
        assert (before.rule, before.group, before.name) == (after.rule, after.group, after.name)
        choices = None
        if before.choices is not None and after.choices is not None:
            gains = after.columns[0] - before.columns[0]
            choices = changed_choices(before.choices, after.choices, gains)
        p_lowered = None
        if before.kind == "capability":
            p_lowered = lowered(before.columns[0], after.columns[0], resamples, seed)
        change = _change(bootstrap, before, after)
        steered_figure = after.estimate(bootstrap)
        figures.append(Figure(before, found, steered_figure, change, p_lowered, choices))
    return figures


def _change(bootstrap: ClusterBootstrap, before: Measure, after: Measure) -> Estimate:
    """Steered less, or over, unsteered."""
    if before.is_share:
        (was, counts), (now, _) = before.columns, after.columns
        return change_of_share(bootstrap, was, now, counts)

    def changed(*columns: Float[ndarray, "... units"]) -> Float[ndarray, "..."]:
        half = len(columns) // 2
        was, now = before.statistic(*columns[:half]), before.statistic(*columns[half:])
        return now / was if before.change == "ratio" else now - was

    estimate = bootstrap.estimate_additive if before.additive else bootstrap.estimate
    return estimate(changed, *before.columns, *after.columns)
