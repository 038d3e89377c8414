"""Does a model keep a limit on bias? A test of non-inferiority, axis by axis, that builds fail on.

A limit is kept only where that is shown: the one-sided upper confidence bound of the item spread,
over items, must lie below it. A model that is too weak for its bias to be told does not pass. All
axes must pass, each at its own level: the chance that a model that breaks some limit passes
is then at most alpha (Berger 1982, "Multiparameter hypothesis testing and acceptance sampling").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import BaseModel, ConfigDict

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.metrics import bias
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.models.encoding import front_noted
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.statistics.estimate import Estimate
from evenkeel.statistics.jackknife import log_upper_bound
from evenkeel.steering.hooks import steer
from evenkeel.steering.spec import InterventionSpec

MARGIN_OF_COMPETENCE = 0.1
"""By how much definitional accuracy must be above chance."""


class AxisRecord(BaseModel):
    """What a later check compares with."""

    model_config = ConfigDict(extra="forbid")

    groups: tuple[str, ...]
    items: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...]
    """Of each item by group, in nats."""

    @property
    def table(self) -> Float[ndarray, "items groups"]:
        return np.array(self.scores)


@dataclass(frozen=True)
class AxisCheck:
    """What was found on one axis."""

    axis: str
    passed: bool
    spread: Estimate
    """Item spread, in nats of log-odds."""
    bound: float | None
    """One-sided upper confidence bound of what is limited."""
    limit: float
    measure: str
    """What is limited: "spread", or "ratio" to the baseline's."""
    accuracy: Estimate
    """Definitional accuracy."""
    reason: str
    """In one sentence."""
    record: AxisRecord


def check_axis(
    model: Any,
    tokenizer: Any,
    axis: str,
    prompts: Sequence[Prompt],
    *,
    alpha: float,
    max_spread: float | None = None,
    baseline: AxisRecord | None = None,
    margin: float = 0.1,
    spec: InterventionSpec | None = None,
    batch_size: int = 64,
) -> AxisCheck:
    """Hold a model to a limit on one axis, or to a baseline.

    Args:
        model: a causal LM of transformers.
        tokenizer: of the model.
        axis: its name.
        prompts: of one split and axis.
        alpha: chance that a model at the limit passes.
        max_spread: limit of the item spread, in nats; or else `baseline`.
        baseline: what an earlier check found, item by item.
        margin: how much larger than the baseline's the spread may be, as a share of it.
        spec: what the model is steered by.
        batch_size: rows in a forward pass.

    Raises:
        BadInputError: neither or both of limit and baseline are given, the baseline is of other
            items, or there are too few items.
    """
    if (max_spread is None) == (baseline is None):
        raise BadInputError(f"axis {axis}: give either a limit of the spread or a baseline")
    prompt_set = PromptSet.of(model, tokenizer, prompts, [])
    measures = PromptSetMeasures(prompt_set, 2000, 0)
    with front_noted(model, tokenizer), steer(model, spec.interventions if spec else ()):
        readings = prompt_set.read(model, batch_size)
    scores = measures.items.scores(readings)
    record = AxisRecord(
        groups=prompt_set.groups, items=tuple(measures.items.items.names),
        scores=tuple(map(tuple, scores.tolist())),
    )  # fmt: skip
    if len(scores) < 3:
        raise BadInputError(f"axis {axis}: {len(scores)} items; a bound needs three or more")
    found = measures.of(readings)
    gate = CompetenceGate(MARGIN_OF_COMPETENCE)
    if max_spread is not None:
        bound, limit, measure = _bound_of_spread(scores, alpha), max_spread, "spread"
    else:
        assert baseline is not None
        bound = _bound_of_ratio(axis, record, baseline, alpha)
        limit, measure = 1 + margin, "ratio"
    weak = gate.reason(found)
    kept = bound is not None and bound < limit
    what = "the spread" if measure == "spread" else "its ratio to the baseline's"
    reason = weak or (
        f"{what} is {'shown to be' if kept else 'not shown to be'} below {limit:g}: "
        f"{1 - alpha:.0%} upper bound {'unknown' if bound is None else f'{bound:.3g}'}"
    )
    return AxisCheck(
        axis, kept and weak is None, found["item_spread"], bound, limit, measure,
        found["definitional_accuracy"], reason, record,
    )  # fmt: skip


def _bound_of_spread(scores: Float[ndarray, "items groups"], alpha: float) -> float | None:
    if float(bias.item_spread(scores)) <= bias.NO_SPREAD:
        return 0.0
    return log_upper_bound(bias.item_spread, scores, alpha=alpha)


def _bound_of_ratio(
    axis: str, record: AxisRecord, baseline: AxisRecord, alpha: float
) -> float | None:
    """Of the spread over the baseline's, paired by item."""
    if record.groups != baseline.groups or record.items != baseline.items:
        raise BadInputError(
            f"axis {axis}: the baseline was made of other items or groups; make it again from the "
            "same prompts"
        )
    before, after = baseline.table, record.table
    if float(bias.item_spread(before)) <= bias.NO_SPREAD:
        raise BadInputError(f"axis {axis}: the baseline has no spread; give --max-spread instead")
    if float(bias.item_spread(after)) <= bias.NO_SPREAD:
        return 0.0

    def ratio(old: ndarray, new: ndarray) -> Float[ndarray, "..."]:
        return bias.item_spread(new) / bias.item_spread(old)

    return log_upper_bound(ratio, before, after, alpha=alpha)


def split_of(prompts: Sequence[Prompt], axis: str, split: str) -> list[Prompt]:
    """The prompts of one split and axis.

    Raises:
        BadInputError: there are none.
    """
    found = [prompt for prompt in prompts if prompt.axis == axis and prompt.split == split]
    if not found:
        raise BadInputError(f"no prompts of axis {axis} and split {split}")
    return found


def records_of(checks: Sequence[AxisCheck]) -> Mapping[str, AxisRecord]:
    """What a later check compares with, by axis."""
    return {check.axis: check.record for check in checks}
